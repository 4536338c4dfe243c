package source

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestFacts compares every release with what scopegate knows.
func TestFacts(t *testing.T) {
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			for _, difference := range compare(r.Files(t)) {
				t.Errorf("ToolHive %s, %s", r.Version, difference)
			}
		})
	}
	t.Logf("%d facts", len(facts))
}

// TestPlaces looks for places that write run configs beside those that scopegate
// knows.
func TestPlaces(t *testing.T) {
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			differences, err := comparePlaces(r.Files(t))
			expect.NoError(t, err)
			for _, difference := range differences {
				t.Errorf("ToolHive %s, %s", r.Version, difference)
			}
		})
	}
}

// compare returns what is not as scopegate knows it.
func compare(files fs.FS) (differences []string) {
	for _, fact := range facts {
		f, err := parse(files, fact.file)
		if err != nil {
			differences = append(differences, fmt.Sprintf("%s: %s: %v", fact.file, fact.name, err))
			continue
		}
		if difference := fact.compare(f); difference != "" {
			differences = append(differences, difference)
		}
	}
	return differences
}

func (c fact) compare(f *file) string {
	var got []word
	var source []string
	for _, node := range c.find.nodes(f) {
		got = append(got, words(f.source(node), f.line(node.Pos()))...)
		source = append(source, f.source(node))
	}
	if len(got) == 0 {
		return fmt.Sprintf("%s: %s: not there any more, looked for\n%s%s", f.place(c.find.within), c.name, c.find.key, c.want[0])
	}
	line := 0
	for _, want := range c.want {
		at, differs := firstDifference(got, words(want, 0))
		if !differs {
			return ""
		}
		line = max(line, at)
	}
	return fmt.Sprintf("%s:%d: %s: it is\n%s\nscopegate knows it as\n%s",
		f.path, line, c.name, strings.Join(source, "; "), strings.Join(c.want, "\nor as\n"))
}

// firstDifference returns the line of the first word that is not the wanted one.
func firstDifference(got, want []word) (line int, differs bool) {
	for i := range got {
		if i == len(want) || got[i].text != want[i].text {
			return got[i].line, true
		}
	}
	return got[len(got)-1].line, len(got) < len(want)
}
