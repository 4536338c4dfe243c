package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestBugs checks that each bug still has its place in the code, and that the code
// compiles with it. A change of that code has to change the bug too.
func TestBugs(t *testing.T) {
	const root = "../.."
	exported := exports(t)
	bugs, err := readBugs("bugs")
	expect.NoError(t, err)
	names := map[string]bool{}
	for _, bug := range bugs {
		t.Run(bug.name, func(t *testing.T) {
			if names[bug.name] {
				t.Error("another bug has the same name")
			}
			names[bug.name] = true
			folder := t.TempDir()
			expect.NoError(t, bug.apply(root, folder))
			broken, path := expect.ReadFile(t, filepath.Join(folder, bug.file)), filepath.Join(root, bug.file)
			if filepath.Ext(path) == ".go" {
				err = exported.check(path, broken)
			} else {
				err = decode(broken)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	if len(bugs) < 70 {
		t.Errorf("%d bugs are seeded, want at least 70", len(bugs))
	}
}

// decode reads the documents of a manifest.
func decode(text string) error {
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), len(text)); ; {
		var document map[string]any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// packages are the files that have the exports of each package, by import path.
type packages map[string]string

func exports(t *testing.T) packages {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Export", "./internal/...")
	command.Dir = filepath.Join("..", "..")
	command.Stderr = os.Stderr
	output, err := command.Output()
	expect.NoError(t, err)
	found := packages{}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var one struct{ ImportPath, Export string }
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[one.ImportPath] = one.Export
	}
}

func (p packages) check(path, text string) error {
	folder, name := filepath.Split(path)
	all, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, one := range all {
		if matched, _ := filepath.Match("*_test.go", filepath.Base(one)); matched {
			continue
		}
		var source any
		if filepath.Base(one) == name {
			source = text
		}
		file, err := parser.ParseFile(files, one, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		parsed = append(parsed, file)
	}
	open := func(path string) (io.ReadCloser, error) {
		if p[path] == "" {
			return nil, fmt.Errorf("package %s is not compiled", path)
		}
		return os.Open(p[path])
	}
	config := types.Config{Importer: importer.ForCompiler(files, "gc", open)}
	_, err = config.Check(folder, files, parsed, nil)
	return err
}
