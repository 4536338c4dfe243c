package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"testing"
)

// TestBugs holds that each bug still has its place in the code: whoever changes
// that changes the bug too.
func TestBugs(t *testing.T) {
	names := map[string]bool{}
	for _, bug := range bugs {
		t.Run(bug.name, func(t *testing.T) {
			if names[bug.name] {
				t.Error("another bug has the same name")
			}
			names[bug.name] = true
			text, err := os.ReadFile(filepath.Join("..", "..", bug.file))
			if err != nil {
				t.Fatal(err)
			}
			broken, err := bug.apply(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if broken == string(text) {
				t.Error("it changes nothing")
			}
			if filepath.Ext(bug.file) != ".go" {
				return
			}
			if _, err := parser.ParseFile(token.NewFileSet(), bug.file, broken, parser.SkipObjectResolution); err != nil {
				t.Error(err)
			}
		})
	}
	if len(bugs) < 50 {
		t.Errorf("%d bugs are seeded, want at least 50", len(bugs))
	}
}
