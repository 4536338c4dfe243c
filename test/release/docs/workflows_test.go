package docs_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

var (
	step = regexp.MustCompile(`(?m)^ +(?:- )?run: (.*)$`)
	// makeStep is a step that runs a target, by its name or by that of the matrix.
	makeStep     = regexp.MustCompile(`^make (\$\{\{ matrix\.target \}\}|[a-z0-9-]+)( [A-Z]+=\S+| [A-Z]+=\$\{\{ \S+ \}\})*$`)
	matrixTarget = regexp.MustCompile(`\{target: ([a-z0-9-]+)`)
)

// TestWorkflows holds the workflows to targets of the Makefile, which run anywhere.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no workflows: %v", err)
	}
	targets := makefile(t)
	for _, file := range files {
		text := expect.ReadFile(t, file)
		named := matrixTarget.FindAllStringSubmatch(text, -1)
		for _, run := range step.FindAllStringSubmatch(text, -1) {
			match := makeStep.FindStringSubmatch(run[1])
			switch {
			case match == nil:
				t.Errorf("%s: %q is no target of make", filepath.Base(file), run[1])
			case match[1][0] != '$':
				named = append(named, match)
			}
		}
		for _, match := range named {
			if !targets[match[1]] {
				t.Errorf("%s: the Makefile has no target %q", filepath.Base(file), match[1])
			}
		}
	}
}
