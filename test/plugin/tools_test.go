package plugin_test

import (
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
	folder, root := t.TempDir(), t.TempDir()
	archive, sums, manifest := filepath.Join(folder, "archive.tar.gz"), filepath.Join(folder, "checksums.txt"), filepath.Join(folder, "scopegate.yaml")
	expect.Output(t, exec.CommandContext(t.Context(), "tar", "--create", "--gzip", "--file="+archive, "--directory="+filepath.Dir(plugin), filepath.Base(plugin))) //nolint:gosec // Our own program.
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(expect.ReadFile(t, archive))))
	checksums := sum + "  dist/install.yaml\n"
	for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"} {
		checksums += sum + "  dist/kubectl-scopegate_" + platform + ".tar.gz\n"
	}
	expect.WriteFile(t, sums, checksums)
	text := expect.Output(t, exec.CommandContext(t.Context(), "go", "run", "../../hack/krew", "-version", "v0.1.0", "-checksums", sums)) //nolint:gosec // Our own program.
	golden(t, "krew.yaml", strings.ReplaceAll(text, sum, "CHECKSUM"))
	elsewhere := expect.Output(t, exec.CommandContext(t.Context(), "go", "run", "../../hack/krew", "-version", "v0.1.0", "-checksums", sums, "-url", "https://mirror.example.com/")) //nolint:gosec // Our own program.
	expect.Contains(t, elsewhere, "uri: https://mirror.example.com/kubectl-scopegate_linux_amd64.tar.gz\n")
	expect.WriteFile(t, manifest, text)
	// The archives are not published.
	expect.Output(t, krew(t, "validate-krew-manifest", "-skip-install", "-manifest", manifest))
	install := krew(t, "krew", "install", "--manifest="+manifest, "--archive="+archive)
	install.Env = append(os.Environ(), "KREW_ROOT="+root, "KREW_NO_UPGRADE_CHECK=1")
	expect.Output(t, install)
	expect.Contains(t, expect.Output(t, exec.CommandContext(t.Context(), filepath.Join(root, "bin", "kubectl-scopegate"), "version")), "scopegate ") //nolint:gosec // The plugin that krew installed.
}

// krew returns the command of one of krew's programs.
func krew(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), "go", append([]string{"tool", "-modfile=../../hack/release/go.mod"}, arguments...)...) //nolint:gosec // A pinned tool.
}
