package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

const conditionsHead = `# Conditions

The conditions that scopegate writes into ` + "`status.conditions`" + `. Their types and reasons are API.

`

// constant is an exported string constant and its comment.
type constant struct{ name, value, comment string }

func conditionsPage() (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "api/v1alpha1/conditions.go", nil, parser.ParseComments)
	if err != nil {
		return "", err
	}
	var page strings.Builder
	page.WriteString(conditionsHead)
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		constants, err := constantsOf(group)
		if err != nil {
			return "", err
		}
		if !group.Lparen.IsValid() {
			fmt.Fprintf(&page, "## %s\n\n%s\n\n", constants[0].value, constants[0].comment)
			continue
		}
		fmt.Fprintf(&page, "%s\n\n| reason | surfaces when |\n| --- | --- |\n", oneLine(group.Doc))
		for _, reason := range constants {
			_, when, ok := strings.Cut(reason.comment, " surfaces ")
			if !ok {
				return "", fmt.Errorf("the comment of %s does not say when it surfaces", reason.name)
			}
			fmt.Fprintf(&page, "| `%s` | %s |\n", reason.value, cell(when))
		}
		page.WriteString("\n")
	}
	return strings.TrimRight(page.String(), "\n") + "\n", nil
}

// constantsOf reads the constants of a declaration. Their comments use the Go
// names, but readers of the page know the values.
func constantsOf(group *ast.GenDecl) ([]constant, error) {
	var found []constant
	for _, spec := range group.Specs {
		value := spec.(*ast.ValueSpec)
		literal, ok := value.Values[0].(*ast.BasicLit)
		if !ok {
			return nil, fmt.Errorf("%s is not a literal", value.Names[0].Name)
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			return nil, err
		}
		comment := value.Doc
		if comment == nil {
			comment = group.Doc
		}
		found = append(found, constant{name: value.Names[0].Name, value: text, comment: oneLine(comment)})
	}
	return found, nil
}

// oneLine returns a comment's text, with values in place of the constants' Go names.
func oneLine(comment *ast.CommentGroup) string {
	words := strings.Fields(comment.Text())
	for i, word := range words {
		for _, prefix := range []string{"Condition", "Reason"} {
			if name, ok := strings.CutPrefix(word, prefix); ok && name != "" && name != "s" {
				words[i] = name
			}
		}
	}
	return strings.Join(words, " ")
}
