package source

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

type file struct {
	path   string
	text   []byte
	set    *token.FileSet
	syntax *ast.File
}

func parse(t *testing.T, files fs.FS, path string) *file {
	t.Helper()
	text, err := fs.ReadFile(files, path)
	expect.NoError(t, err)
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	expect.NoError(t, err)
	return &file{path, text, set, syntax}
}

// place returns the file and the line of a node, or only the file if there is none.
func (f *file) place(node ast.Node) string {
	if node == nil {
		return f.path
	}
	return fmt.Sprintf("%s:%d", f.path, f.set.Position(node.Pos()).Line)
}

// source returns the tokens of a node.
func (f *file) source(node ast.Node) string {
	if node == nil {
		return ""
	}
	return tokens(string(f.text[f.set.Position(node.Pos()).Offset:f.set.Position(node.End()).Offset]))
}

// tokens returns Go source with one space between tokens, without comments and without
// tokens that depend on line breaks.
func tokens(source string) string {
	set := token.NewFileSet()
	var scan scanner.Scanner
	scan.Init(set.AddFile("", set.Base(), len(source)), []byte(source), nil, 0)
	var found []string
	for {
		_, kind, text := scan.Scan()
		switch {
		case kind == token.EOF:
			return strings.TrimSuffix(strings.Join(found, " "), " ;")
		case kind == token.SEMICOLON:
			text = ";"
		case kind.IsOperator():
			text = kind.String()
		}
		last := len(found) - 1
		if closing := kind == token.RPAREN || kind == token.RBRACE; closing && last >= 0 && (found[last] == "," || found[last] == ";") {
			found = found[:last]
		}
		found = append(found, text)
	}
}

// declared returns the body of a function, the value of a constant or a variable, or a
// type. A method has the names of its type and itself, as in "RunConfig.Validate".
func (f *file) declared(name string) ast.Node {
	for _, declaration := range f.syntax.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok {
			receiver := ""
			if function.Recv != nil {
				receiver = strings.TrimPrefix(f.source(function.Recv.List[0].Type), "* ") + "."
			}
			if receiver+function.Name.Name == name {
				return function.Body
			}
			continue
		}
		for _, spec := range declaration.(*ast.GenDecl).Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.Name == name {
					return spec.Type
				}
			case *ast.ValueSpec:
				if spec.Names[0].Name == name && len(spec.Values) == 1 {
					return spec.Values[0]
				}
			}
		}
	}
	return nil
}
