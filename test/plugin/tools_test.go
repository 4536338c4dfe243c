package plugin_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestKrew makes the manifest for krew from the checksums of archives, as a
// release does. krew's own program for its index checks it, and krew installs it.
func TestKrew(t *testing.T) {
	folder := t.TempDir()
	archive := pack(t)
	archived := filepath.Join(folder, "archive.tar.gz")
	expect.NoError(t, os.WriteFile(archived, archive, 0o600))
	var checksums strings.Builder
	for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64", "windows_amd64"} {
		extension := "tar.gz"
		if strings.HasPrefix(platform, "windows") {
			extension = "zip"
		}
		fmt.Fprintf(&checksums, "%x  dist/kubectl-scopegate_%s.%s\n", sha256.Sum256(archive), platform, extension)
	}
	fmt.Fprintf(&checksums, "%x  dist/install.yaml\n", sha256.Sum256(nil))
	sums := filepath.Join(folder, "checksums.txt")
	expect.NoError(t, os.WriteFile(sums, []byte(checksums.String()), 0o600))
	command := exec.CommandContext(t.Context(), "go", "run", "../../hack/krew", "-version", "v0.1.0", "-checksums", sums, //nolint:gosec // Our own program.
		"-url", "https://github.com/scopegate/scopegate/releases/download/v0.1.0/")
	manifest, err := command.Output()
	if err != nil {
		t.Fatalf("making the manifest: %v", err)
	}
	golden(t, "krew.yaml", strings.ReplaceAll(string(manifest), fmt.Sprintf("%x", sha256.Sum256(archive)), "CHECKSUM"))
	if output, err := validate(t, folder, manifest); err != nil {
		t.Errorf("krew refuses the manifest: %v\n%s", err, output)
	}
	install := krew(t, "krew", "install", "--manifest="+filepath.Join(folder, "scopegate.yaml"), "--archive="+archived)
	root := t.TempDir()
	install.Env = append(os.Environ(), "KREW_ROOT="+root, "KREW_NO_UPGRADE_CHECK=1")
	if output, err := install.CombinedOutput(); err != nil {
		t.Errorf("krew does not install the plugin: %v\n%s", err, output)
	}
	if output, err := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "kubectl-scopegate"), "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(output), "scopegate ") { //nolint:gosec // The plugin that krew installed.
		t.Errorf("the installed plugin: %v\n%s", err, output)
	}
	for name, change := range map[string][2]string{
		"version":  {"version: v0.1.0", "version: 0.1.0"},
		"checksum": {"sha256: ", "sha256: x"},
		"selector": {"os: linux", "os: plan8"},
		"overlap":  {"arch: arm64\n        os: linux", "arch: amd64\n        os: linux"},
	} {
		changed := strings.Replace(string(manifest), change[0], change[1], 1)
		if output, err := validate(t, folder, []byte(changed)); err == nil {
			t.Errorf("krew accepts a wrong %s:\n%s", name, output)
		}
	}
}

// validate runs krew's program. It skips the installation of the archives,
// because they are not published.
func validate(t *testing.T, folder string, manifest []byte) ([]byte, error) {
	t.Helper()
	file := filepath.Join(folder, "scopegate.yaml")
	expect.NoError(t, os.WriteFile(file, manifest, 0o600))
	return krew(t, "validate-krew-manifest", "-skip-install", "-manifest", file).CombinedOutput()
}

// krew returns the command of one of krew's programs.
func krew(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), "go", append([]string{"tool", "-modfile=../../hack/release/go.mod"}, arguments...)...) //nolint:gosec // A pinned tool.
}

func pack(t *testing.T) []byte {
	t.Helper()
	program := expect.ReadFile(t, plugin)
	var archive bytes.Buffer
	compressed := gzip.NewWriter(&archive)
	files := tar.NewWriter(compressed)
	expect.NoError(t, files.WriteHeader(&tar.Header{Name: "kubectl-scopegate", Mode: 0o755, Size: int64(len(program))}))
	if _, err := files.Write([]byte(program)); err != nil {
		t.Fatal(err)
	}
	expect.NoError(t, files.Close())
	expect.NoError(t, compressed.Close())
	return archive.Bytes()
}

type hook struct {
	ID, Name, Description, Language, Entry, Files string

	Args          []string
	PassFilenames *bool `json:"pass_filenames"`
	RequireSerial bool  `json:"require_serial"`
}

// TestHook runs the hook of .pre-commit-hooks.yaml as pre-commit does: the words
// of the entry, then the arguments, in the root of the repository, with the
// program in the PATH. It rejects fields that pre-commit does not have.
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

// TestPreCommit runs pre-commit itself, if it is installed. The hook must
// reject a bad manifest and pass a good one.
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

// localHooks returns a configuration with a copy of the hook. pre-commit would
// read the hook of another repository only from a commit.
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
	// Git must see neither a repository around the test nor the user's
	// configuration.
	command.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") }), "HOME="+folder)
	expect.Output(t, command)
}
