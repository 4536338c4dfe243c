package source

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"strings"
)

type file struct {
	path   string
	text   []byte
	set    *token.FileSet
	syntax *ast.File
}

func parse(files fs.FS, path string) (*file, error) {
	text, err := fs.ReadFile(files, path)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{path, text, set, syntax}, nil
}

func (f *file) line(at token.Pos) int { return f.set.Position(at).Line }

// place returns the file and the line of a function or a type, or only the file
// if there is none of that name.
func (f *file) place(name string) string {
	if function := f.function(name); function != nil {
		return fmt.Sprintf("%s:%d", f.path, f.line(function.Pos()))
	}
	if declared := f.declared(name); declared != nil {
		return fmt.Sprintf("%s:%d", f.path, f.line(declared.Pos()))
	}
	return f.path
}

func (f *file) source(node ast.Node) string {
	return string(f.text[f.set.Position(node.Pos()).Offset:f.set.Position(node.End()).Offset])
}

type word struct {
	text string
	line int
}

// words splits Go source into its tokens, without comments and without tokens
// that depend on line breaks. first is the number of the first line.
func words(source string, first int) []word {
	set := token.NewFileSet()
	position := set.AddFile("", set.Base(), len(source))
	var scan scanner.Scanner
	scan.Init(position, []byte(source), nil, 0)
	var found []word
	for {
		at, kind, text := scan.Scan()
		switch {
		case kind == token.EOF:
			return found
		case kind == token.SEMICOLON && text == "\n":
			text = ";"
		case kind.IsOperator():
			text = kind.String()
		}
		if closing := kind == token.RPAREN || kind == token.RBRACE; closing && len(found) > 0 {
			if last := found[len(found)-1].text; last == "," || last == ";" {
				found = found[:len(found)-1]
			}
		}
		found = append(found, word{text, first + position.Line(at) - 1})
	}
}

// function returns the declaration of a function, or of a method by the names of
// its type and itself, as in "RunConfig.Validate".
func (f *file) function(name string) *ast.FuncDecl {
	for _, declaration := range f.syntax.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && f.receiver(function)+function.Name.Name == name {
			return function
		}
	}
	return nil
}

func (f *file) receiver(function *ast.FuncDecl) string {
	if function.Recv == nil {
		return ""
	}
	return strings.TrimPrefix(f.source(function.Recv.List[0].Type), "*") + "."
}

// find locates something in a file.
type find struct {
	within string
	// key is the key or field whose value is located, if any.
	key   string
	nodes func(f *file) []ast.Node
}

func body(function string) find {
	return find{within: function, nodes: func(f *file) []ast.Node {
		if declaration := f.function(function); declaration != nil {
			return []ast.Node{declaration.Body}
		}
		return nil
	}}
}

func calls(within, called string) find {
	return inFunction(within, func(f *file, node ast.Node) ast.Node {
		if call, ok := node.(*ast.CallExpr); ok && f.source(call.Fun) == called {
			return call
		}
		return nil
	})
}

// entry finds the value that a function assigns to a key of a map or to a field
// of a struct.
func entry(within, key string) find {
	found := inFunction(within, func(f *file, node ast.Node) ast.Node {
		switch node := node.(type) {
		case *ast.KeyValueExpr:
			if f.source(node.Key) == key {
				return node.Value
			}
		case *ast.AssignStmt:
			if index, ok := node.Lhs[0].(*ast.IndexExpr); ok && f.source(index.Index) == key {
				return node.Rhs[0]
			}
		}
		return nil
	})
	found.key = key + ": "
	return found
}

// assigned finds the assignments to a variable, or to entries of a map.
func assigned(within, variable string) find {
	return inFunction(within, func(f *file, node ast.Node) ast.Node {
		assignment, ok := node.(*ast.AssignStmt)
		if !ok {
			return nil
		}
		to := assignment.Lhs[0]
		if index, ok := to.(*ast.IndexExpr); ok {
			to = index.X
		}
		if f.source(to) == variable {
			return assignment
		}
		return nil
	})
}

func inFunction(within string, match func(*file, ast.Node) ast.Node) find {
	return find{within: within, nodes: func(f *file) (found []ast.Node) {
		declaration := f.function(within)
		if declaration == nil {
			return nil
		}
		ast.Inspect(declaration, func(node ast.Node) bool {
			if node == nil {
				return false
			}
			if match := match(f, node); match != nil {
				found = append(found, match)
			}
			return true
		})
		return found
	}}
}

func value(name string) find {
	return find{nodes: func(f *file) (found []ast.Node) {
		for _, declaration := range f.syntax.Decls {
			declaration, ok := declaration.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range declaration.Specs {
				if spec, ok := spec.(*ast.ValueSpec); ok && spec.Names[0].Name == name {
					for _, value := range spec.Values {
						found = append(found, value)
					}
				}
			}
		}
		return found
	}}
}

func (f *file) fields(structure string) []*ast.Field {
	if structure, ok := f.declared(structure).(*ast.StructType); ok {
		return structure.Fields.List
	}
	return nil
}

func (f *file) declared(name string) (found ast.Expr) {
	ast.Inspect(f.syntax, func(node ast.Node) bool {
		if spec, ok := node.(*ast.TypeSpec); ok && spec.Name.Name == name {
			found = spec.Type
		}
		return found == nil
	})
	return found
}
