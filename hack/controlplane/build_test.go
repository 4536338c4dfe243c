package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// fixtureModule makes a module with a program that has no dependencies and is in
// no build cache.
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
	var output bytes.Buffer
	b := &builder{module: fixtureModule(t, `package main; func main() { println("built") }`), log: log.New(&output, "", 0)}
	fixture := binary{name: "fixture", version: "v1.2.3", pkg: ".", modfile: "go.mod"}
	expect.NoError(t, b.plan(t.Context(), []binary{fixture}))
	path := filepath.Join(t.TempDir(), "fixture")
	if err := b.build(t.Context(), fixture, path); err != nil {
		t.Fatalf("%v\n%s", err, &output)
	}
	got, err := exec.CommandContext(t.Context(), path).CombinedOutput() //nolint:gosec // Just built.
	if err != nil || string(got) != "built\n" {
		t.Errorf("it prints %q, %v", got, err)
	}
	expect.Contains(t, output.String(), "building fixture v1.2.3, 1 of 1: 0 of ", "fixture v1.2.3 was built from source in ")
	if b.packages == 0 || b.compiled != b.packages || b.done != 1 {
		t.Errorf("%d of %d packages, %d binaries; want all", b.compiled, b.packages, b.done)
	}
}

const repositoryPins = "../../" + pins

func TestReadPins(t *testing.T) {
	t.Parallel()
	type test struct{ minor, modfile, kubernetes, key string }
	tests := []test{{"", "go.mod", "v1.37.", `^v1\.37\.\d+-[0-9a-f]{12}$`}, {"1.37", "go.mod", "v1.37.", `^v1\.37\.\d+-[0-9a-f]{12}$`}}
	for minor := 30; minor < 37; minor++ {
		name := fmt.Sprintf("1.%d", minor)
		tests = append(tests, test{name, name + ".mod", "v" + name + ".", `^v` + name + `\.\d+-[0-9a-f]{12}-etcd-v3\.\d+\.\d+$`})
	}
	for _, test := range tests {
		t.Run(test.minor, func(t *testing.T) {
			t.Parallel()
			got, err := readPins(t.Context(), repositoryPins, test.minor)
			expect.NoError(t, err)
			if !regexp.MustCompile(test.key).MatchString(got.key) {
				t.Errorf("the key is %s, want %s", got.key, test.key)
			}
			var names []string
			for _, b := range got.binaries {
				names = append(names, b.name)
				modfile, version := test.modfile, test.kubernetes
				if b.name == "etcd" {
					modfile, version = "go.mod", "v3."
				}
				if b.modfile != modfile || !strings.HasPrefix(b.version, version) {
					t.Errorf("%s is %s of %s, want %s of %s", b.name, b.version, b.modfile, version, modfile)
				}
			}
			expect.Equal(t, "binaries", []string{"etcd", "kubectl", "kube-apiserver", "kube-controller-manager"}, names)
		})
	}
}

func TestReadPinsOfAnUnknownMinor(t *testing.T) {
	t.Parallel()
	_, err := readPins(t.Context(), repositoryPins, "1.29")
	const want = `KUBERNETES is "1.29"; choose one of 1.30, 1.31, 1.32, 1.33, 1.34, 1.35, 1.36, 1.37`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
