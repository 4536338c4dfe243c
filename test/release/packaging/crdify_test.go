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

// repository is a copy of what hack/crdify.sh takes, with a history of its own.
type repository struct{ folder string }

func newRepository(t *testing.T) repository {
	t.Helper()
	r := repository{t.TempDir()}
	command := exec.CommandContext(t.Context(), "cp", "--parents", "-r", "hack/crdify.sh", "hack/crdify.yaml", "hack/release", "config/crd", "go.mod", "go.sum", r.folder) //nolint:gosec // Our own files.
	command.Dir = setup.Root
	expect.Output(t, command)
	r.git(t, "init", "--quiet")
	r.git(t, "add", ".")
	r.git(t, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=all")
	return r
}

func (r repository) git(t *testing.T, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", arguments...)
	command.Dir = r.folder
	expect.Output(t, command)
}

// servers is the CRD that is changed.
const servers = "config/crd/toolhive.stacklok.dev_mcpservers.yaml"

func (r repository) replace(t *testing.T, before, after string) {
	t.Helper()
	path := filepath.Join(r.folder, servers)
	text := expect.ReadFile(t, path)
	expect.Contains(t, text, before)
	expect.WriteFile(t, path, strings.ReplaceAll(text, before, after))
}

func (r repository) crdify(t *testing.T) (string, error) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), filepath.Join(r.folder, "hack/crdify.sh")).CombinedOutput() //nolint:gosec // A copy of our own.
	return string(output), err
}

// TestCrdify breaks the CRDs after a release, in each way that must not happen.
func TestCrdify(t *testing.T) {
	r := newRepository(t)
	if output, err := r.crdify(t); err != nil || !strings.Contains(output, "no commit is tagged as a release yet") {
		t.Fatalf("without a release: %v: %s", err, output)
	}
	r.git(t, "tag", "v0.1.0")
	for title, tc := range map[string]struct {
		change func(*testing.T)
		// want is in the output; empty if the change does no harm.
		want string
	}{
		"nothing":             {func(*testing.T) {}, ""},
		"another description": {func(t *testing.T) { r.replace(t, "proxyPort is the port", "proxyPort is a port") }, ""},
		"a field is gone":     {func(t *testing.T) { r.replace(t, "proxyPort:", "port:") }, "removed field : v1beta1.^.spec.proxyPort"},
		"another default":     {func(t *testing.T) { r.replace(t, "default: 8080", "default: 8081") }, "default"},
		"a smaller maximum":   {func(t *testing.T) { r.replace(t, "maximum: 65535", "maximum: 10000") }, "maximum"},
		"one more is required": {func(t *testing.T) {
			r.replace(t, "            required:\n            - image\n", "            required:\n            - image\n            - proxyPort\n")
		}, "required"},
		"a version is gone": {func(t *testing.T) { r.replace(t, "name: v1alpha1", "name: v1alpha2") }, "stored versions removed : [v1alpha1]"},
		"a kind is gone": {func(t *testing.T) {
			expect.NoError(t, os.Remove(filepath.Join(r.folder, servers)))
		}, "is gone"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Cleanup(func() {
				command := exec.Command("git", "checkout", "--quiet", ".")
				command.Dir = r.folder
				expect.Output(t, command)
			})
			tc.change(t)
			output, err := r.crdify(t)
			if (err != nil) != (tc.want != "") || !strings.Contains(output, tc.want) {
				t.Errorf("got %v, want %q:\n%s", err, tc.want, output)
			}
		})
	}
}
