package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// servers is the CRD that is changed.
const servers = "config/crd/toolhive.stacklok.dev_mcpservers.yaml"

// TestCrdify breaks the CRDs after a release, in each way that must not happen.
func TestCrdify(t *testing.T) {
	folder := t.TempDir()
	in := func(folder, name string, arguments ...string) *exec.Cmd {
		command := exec.CommandContext(t.Context(), name, arguments...)
		command.Dir = folder
		return command
	}
	crdify := func() (string, error) {
		output, err := in(folder, filepath.Join(folder, "hack/crdify.sh")).CombinedOutput()
		return string(output), err
	}
	expect.Output(t, in(setup.Root, "cp", "--parents", "-r", "hack/crdify.sh", "hack/crdify.yaml", "hack/release", "config/crd", "go.mod", "go.sum", folder))
	expect.Output(t, in(folder, "git", "init", "--quiet"))
	expect.Output(t, in(folder, "git", "add", "."))
	expect.Output(t, in(folder, "git", "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=all"))
	if output, err := crdify(); err != nil || !strings.Contains(output, "no commit is tagged as a release yet") {
		t.Fatalf("without a release: %v: %s", err, output)
	}
	expect.Output(t, in(folder, "git", "tag", "v0.1.0"))
	for title, tc := range map[string]struct {
		before, after string
		// want is in the output; empty if the change does no harm.
		want string
	}{
		"nothing":           {"", "", ""},
		"a field is gone":   {"proxyPort:", "port:", "removed field : v1beta1.^.spec.proxyPort"},
		"a version is gone": {"name: v1alpha1", "name: v1alpha2", "stored versions removed : [v1alpha1]"},
		"a kind is gone":    {"", "", "is gone"},
	} {
		t.Run(title, func(t *testing.T) {
			path := filepath.Join(folder, servers)
			original := expect.ReadFile(t, path)
			t.Cleanup(func() { expect.WriteFile(t, path, original) })
			expect.Contains(t, original, tc.before)
			expect.WriteFile(t, path, strings.ReplaceAll(original, tc.before, tc.after))
			if title == "a kind is gone" {
				expect.NoError(t, os.Remove(path))
			}
			output, err := crdify()
			if (err != nil) != (tc.want != "") || !strings.Contains(output, tc.want) {
				t.Errorf("got %v, want %q:\n%s", err, tc.want, output)
			}
		})
	}
}
