package plugin_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
