package plugin_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// shown matches the blocks of a page with a golden file, a command and its
// output.
var shown = regexp.MustCompile("(?m)^<!-- (test/plugin/testdata/\\S+) -->\n```console\n(\\$ .*\n)((?s:.*?))```$")

// TestDocumentedOutput compares the outputs in docs/tree.md with the golden
// files. With -update it writes them into the page, after the tests in the files
// before this one have written them.
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
	if blocks < 2 {
		t.Fatalf("%s shows %d commands, want at least 2", name, blocks)
	}
	if *update {
		expect.WriteFile(t, name, current)
		return
	}
	expect.Equal(t, name, current, page)
}
