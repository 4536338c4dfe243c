package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

var discarded = log.New(io.Discard, "", 0)

type fakeBuilder struct {
	planned, built []string
	fails          string
}

func (f *fakeBuilder) plan(_ context.Context, binaries []binary) error {
	for _, b := range binaries {
		f.planned = append(f.planned, b.name)
	}
	return nil
}

func (f *fakeBuilder) build(_ context.Context, b binary, path string) error {
	if b.name == f.fails {
		return errors.New("it does not compile")
	}
	f.built = append(f.built, b.name)
	return os.WriteFile(path, []byte(b.name+" as built"), 0o600)
}

func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	expect.NoError(t, err)
	all := map[string]string{}
	for _, entry := range entries {
		text := expect.ReadFile(t, filepath.Join(folder, entry.Name()))
		if name, ok := strings.CutSuffix(entry.Name(), ".released"); ok {
			all[name] += ", with where it is from"
			continue
		}
		if !isExecutable(filepath.Join(folder, entry.Name())) {
			t.Errorf("%s can't be executed", entry.Name())
		}
		all[entry.Name()] = text + all[entry.Name()]
	}
	return all
}

const kubectlReleased = "kubectl as released, with where it is from"

func TestAssembly(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change  func(published)
		source  bool
		built   []string
		want    map[string]string
		message string
	}{
		"released": {
			built:   []string{"etcd"},
			want:    map[string]string{"etcd": "etcd as built", "kubectl": kubectlReleased},
			message: "kubectl v1.35.4 is taken from https://",
		},
		"not released": {
			change:  func(p published) { delete(p, kubectlPath) },
			built:   []string{"etcd", "kubectl"},
			want:    map[string]string{"etcd": "etcd as built", "kubectl": "kubectl as built"},
			message: "kubectl v1.35.4 has to be built from source: https://",
		},
		"another sum": {
			change:  func(p published) { p[kubectlPath+".sha256"] = []byte(sumOf(nil)) },
			built:   []string{"etcd", "kubectl"},
			want:    map[string]string{"etcd": "etcd as built", "kubectl": "kubectl as built"},
			message: "and the sum published there is " + sumOf(nil),
		},
		"from source": {
			source:  true,
			built:   []string{"etcd", "kubectl"},
			want:    map[string]string{"etcd": "etcd as built", "kubectl": "kubectl as built"},
			message: "building from source, as SCOPEGATE_BUILD=1 is set",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := release()
			if test.change != nil {
				test.change(content)
			}
			var output bytes.Buffer
			fake := &fakeBuilder{}
			a := &assembly{folder: t.TempDir(), binaries: []binary{{name: "etcd", version: "v3.7.3"}, kubectlBinary}, builder: fake, log: log.New(&output, "", 0)}
			if !test.source {
				a.releases = serve(t, content)
			}
			// The second run must provide nothing again.
			for range 2 {
				expect.NoError(t, a.run(t.Context()))
				expect.Equal(t, "the folder", test.want, contents(t, a.folder))
				expect.Equal(t, "built", test.built, fake.built)
			}
			expect.Equal(t, "planned", test.built, fake.planned)
			if !strings.Contains(output.String(), test.message) {
				t.Errorf("it says %q, want %q in it", output.String(), test.message)
			}
		})
	}
}

// TestFailedBuild checks that the folder keeps the complete binaries and
// nothing else.
func TestFailedBuild(t *testing.T) {
	t.Parallel()
	fake := &fakeBuilder{fails: "kubectl"}
	a := &assembly{folder: t.TempDir(), binaries: []binary{{name: "etcd", version: "v3.7.3"}, kubectlBinary}, builder: fake, log: discarded}
	const want = "building kubectl: it does not compile"
	if err := a.run(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	expect.Equal(t, "the folder", map[string]string{"etcd": "etcd as built"}, contents(t, a.folder))
	fake.fails = ""
	expect.NoError(t, a.run(t.Context()))
	expect.Equal(t, "built", []string{"etcd", "kubectl"}, fake.built)
}
