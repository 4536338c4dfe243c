package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

var consoles = regexp.MustCompile("(?m)^```console\n\\$ kubectl scopegate (.*)\n((?s:.*?))```$")

// TestDocumentedOutput runs the commands of the pages on lint: their output must be
// what the pages show.
func TestDocumentedOutput(t *testing.T) {
	t.Chdir("../..")
	var blocks [][]string
	for _, name := range []string{"docs/lint.md", "docs/how-to/lint-in-ci.md"} {
		page := expect.ReadFile(t, name)
		blocks = append(blocks, consoles.FindAllStringSubmatch(page, -1)...)
	}
	if len(blocks) < 3 {
		t.Fatalf("the pages on lint show %d commands, want at least 3", len(blocks))
	}
	for _, block := range blocks {
		t.Run(block[1], func(t *testing.T) {
			var out bytes.Buffer
			run(t.Context(), strings.Fields(block[1]), strings.NewReader(""), &out, &out)
			expect.Equal(t, "output", block[2], out.String())
		})
	}
}
