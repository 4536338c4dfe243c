package main

import (
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestBugs checks that each bug still has its place in the code. A change of that code has
// to change the bug too. `make prove SUITE=mutation` reports a bug that does not compile.
func TestBugs(t *testing.T) {
	bugs, err := readBugs("bugs")
	expect.NoError(t, err)
	names := map[string]bool{}
	for _, bug := range bugs {
		t.Run(bug.name, func(t *testing.T) {
			if names[bug.name] {
				t.Error("another bug has the same name")
			}
			names[bug.name] = true
			expect.NoError(t, bug.apply("../..", t.TempDir()))
		})
	}
	if len(bugs) < 70 {
		t.Errorf("%d bugs are seeded, want at least 70", len(bugs))
	}
}
