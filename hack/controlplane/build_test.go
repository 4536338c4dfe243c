package main

import (
	"bytes"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// fixtureModule is a module with a program that needs nothing, and that no build
// cache has.
func fixtureModule(t *testing.T, source string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/fixture\n\ngo 1.26.0\n", "main.go": source + " // " + folder} {
		expect.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	return folder
}

func TestBuild(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	b := &builder{module: fixtureModule(t, `package main; func main() { println("built") }`), log: log.New(&said, "", 0)}
	fixture := binary{name: "fixture", version: "v1.2.3", pkg: ".", modfile: "go.mod"}
	expect.NoError(t, b.plan(t.Context(), []binary{fixture}))
	path := filepath.Join(t.TempDir(), "fixture")
	if err := b.build(t.Context(), fixture, path); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	got, err := exec.CommandContext(t.Context(), path).CombinedOutput() //nolint:gosec // Just built.
	if err != nil || string(got) != "built\n" {
		t.Errorf("it prints %q, %v", got, err)
	}
	expect.Contains(t, said.String(), "building fixture v1.2.3, 1 of 1: ", "fixture v1.2.3 was built from source in ")
	if b.progress.packages == 0 || b.progress.compiled != b.progress.packages || b.progress.done != 1 {
		t.Errorf("%d of %d packages, %d binaries; want all", b.progress.compiled, b.progress.packages, b.progress.done)
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	b := &builder{module: fixtureModule(t, `package main; func main() { undefined() }`), log: log.New(&said, "", 0)}
	err := b.build(t.Context(), binary{name: "fixture", version: "v1.2.3", pkg: ".", modfile: "go.mod"}, filepath.Join(t.TempDir(), "fixture"))
	if err == nil || !strings.Contains(said.String(), "undefined: undefined") {
		t.Errorf("got %v, and it says %q, want what the compiler says", err, said.String())
	}
}

func TestLdflags(t *testing.T) {
	t.Parallel()
	const want = "-s -w -X k8s.io/component-base/version.gitVersion=v1.35.4 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=35"
	if got := ldflags("v1.35.4"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
