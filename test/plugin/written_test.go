package plugin_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// shown are the blocks of a page with a command, its output, and the golden file
// that holds it.
var shown = regexp.MustCompile("(?m)^<!-- (test/plugin/testdata/\\S+) -->\n```console\n(\\$ .*\n)((?s:.*?))```$")

// TestDocumentedOutput holds the outputs in docs/tree.md to the golden files;
// -update writes them into the page, once the tests of the files before this one
// have written them.
func TestDocumentedOutput(t *testing.T) {
	const name = "../../docs/tree.md"
	page := expect.ReadFile(t, name)
	blocks := 0
	current := shown.ReplaceAllStringFunc(page, func(block string) string {
		parts := shown.FindStringSubmatch(block)
		output := expect.ReadFile(t, filepath.Join("../..", parts[1]))
		blocks++
		return "<!-- " + parts[1] + " -->\n```console\n" + parts[2] + output + "```"
	})
	if blocks < 3 {
		t.Fatalf("%s shows %d commands, want at least 3", name, blocks)
	}
	if *update {
		expect.WriteFile(t, name, current)
		return
	}
	expect.Equal(t, name, current, page)
}
