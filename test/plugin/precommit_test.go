package plugin_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// hook is what pre-commit reads of .pre-commit-hooks.yaml.
type hook struct {
	ID, Name, Description, Language, Entry, Files string

	Args          []string
	PassFilenames *bool `json:"pass_filenames"`
	RequireSerial bool  `json:"require_serial"`
}

// TestHook runs the hook of .pre-commit-hooks.yaml as pre-commit does: the words
// of the entry, then the arguments, in the root of the repository, with the
// program in the PATH. Fields that pre-commit does not have are refused.
func TestHook(t *testing.T) {
	text := expect.ReadFile(t, "../../.pre-commit-hooks.yaml")
	var hooks []hook
	if err := yaml.UnmarshalStrict([]byte(text), &hooks); err != nil || len(hooks) != 1 {
		t.Fatalf("%d hooks, %v", len(hooks), err)
	}
	lint := hooks[0]
	if lint.ID != "scopegate-lint" || lint.PassFilenames == nil || *lint.PassFilenames {
		t.Errorf("the hook has to evaluate folders, not files: %+v", lint)
	}
	for name, c := range map[string]struct {
		sample string
		code   int
	}{
		"good": {"30-auth-config.yaml", 0},
		"bad":  {"mistakes/baseline-not-in-scopes-supported.yaml", 1},
	} {
		t.Run(name, func(t *testing.T) {
			repository := repository(t, c.sample)
			words := append(strings.Fields(lint.Entry), lint.Args...)
			command := exec.CommandContext(t.Context(), words[0], words[1:]...) //nolint:gosec // The entry of our own hook.
			command.Path = filepath.Join(filepath.Dir(plugin), words[0])
			command.Err, command.Dir = nil, repository
			output, err := command.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := command.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(output), "in 1 object") {
				t.Errorf("exit status %d, want %d: %s", code, c.code, output)
			}
		})
	}
}

// TestPreCommit runs pre-commit itself, where it is installed: it refuses a bad
// manifest and lets a good one pass.
func TestPreCommit(t *testing.T) {
	program, err := exec.LookPath("pre-commit")
	if err != nil {
		t.Skip("pre-commit is not installed")
	}
	for name, c := range map[string]struct {
		sample string
		passes bool
	}{
		"good": {"30-auth-config.yaml", true},
		"bad":  {"mistakes/baseline-not-in-scopes-supported.yaml", false},
	} {
		t.Run(name, func(t *testing.T) {
			repository := repository(t, c.sample)
			expect.NoError(t, os.WriteFile(filepath.Join(repository, ".pre-commit-config.yaml"), []byte(localHooks(t)), 0o600))
			git(t, repository, "add", "--all")
			command := exec.CommandContext(t.Context(), program, "run", "--verbose") //nolint:gosec // The program that was looked up.
			command.Dir = repository
			command.Env = append(os.Environ(), "PATH="+filepath.Dir(plugin)+":"+os.Getenv("PATH"), "PRE_COMMIT_HOME="+t.TempDir())
			output, err := command.CombinedOutput()
			if (err == nil) != c.passes || !strings.Contains(string(output), "in 1 object") {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
}

// localHooks is a configuration with the hook as it is written. Of another
// repository, pre-commit would take it by a commit.
func localHooks(t *testing.T) string {
	t.Helper()
	text := expect.ReadFile(t, "../../.pre-commit-hooks.yaml")
	lines := []string{"repos:", "- repo: local", "  hooks:"}
	for line := range strings.Lines(text) {
		lines = append(lines, "  "+strings.TrimRight(line, "\n"))
	}
	return strings.Join(lines, "\n") + "\n"
}

// repository makes a repository with a sample.
func repository(t *testing.T, sample string) string {
	t.Helper()
	folder := t.TempDir()
	expect.WriteFile(t, filepath.Join(folder, "manifest.yaml"), expect.ReadFile(t, filepath.Join("../../config/samples", sample)))
	git(t, folder, "init", "--quiet")
	return folder
}

func git(t *testing.T, folder string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", arguments...)
	command.Dir = folder
	// Nothing of a repository around the test, and nothing of the user.
	command.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") }), "HOME="+folder)
	expect.Output(t, command)
}
