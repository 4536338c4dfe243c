// Package gitops_test runs the health checks of config/gitops on every row of the
// tables of conditions, as Argo CD and Flux run them.
package gitops_test

import (
	"flag"
	"os"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

var update = flag.Bool("update", false, "write the files that follow from others anew")

const folder = "../../../config/gitops"

func read(t *testing.T, path string) []byte {
	t.Helper()
	return []byte(expect.ReadFile(t, path))
}

// golden compares a file with what it has to be, or writes it.
func golden(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		expect.NoError(t, os.WriteFile(path, want, 0o644)) //nolint:gosec // A file for everybody.
		return
	}
	if got := read(t, path); string(got) != string(want) {
		t.Errorf("%s is out of date: write it by go test ./test/release/gitops -update (in that module)\n--- have\n%s\n--- want\n%s", path, got, want)
	}
}
