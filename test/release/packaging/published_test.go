package packaging_test

import (
	"debug/buildinfo"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

var long = flag.Bool("long", false, "also build a release, push it to a registry and install it from there, which takes minutes")

// TestPublished runs `make release` with a registry, and installs the chart from there.
// Everything that it installs must name the image that was pushed by its digest.
func TestPublished(t *testing.T) {
	if !*long {
		t.Skip("run it with `make prove SUITE=release`")
	}
	address := testenv.FreeAddress(t)
	crane, err := setup.ToolPath("crane")
	expect.NoError(t, err)
	testenv.StartCommand(t, exec.Command(crane, "registry", "serve", "--address", address)) //nolint:gosec // A pinned tool.
	folder, registry := t.TempDir(), address+"/team"
	expect.NoError(t, setup.Release(t.Context(), folder, "VERSION="+setup.Version, "REGISTRY="+registry))

	for _, platform := range [][2]string{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}} {
		for _, program := range []string{"kubectl-scopegate", "manager"} {
			archive, unpacked := fmt.Sprintf("%s_%s_%s.tar.gz", program, platform[0], platform[1]), t.TempDir()
			expect.Output(t, exec.CommandContext(t.Context(), "tar", "--extract", "--file="+filepath.Join(folder, archive), "--directory="+unpacked)) //nolint:gosec // Just made.
			built, err := buildinfo.ReadFile(filepath.Join(unpacked, program))
			expect.NoError(t, err)
			expect.Contains(t, built.String(), "/cmd/"+program+"\n", "GOOS="+platform[0]+"\n", "GOARCH="+platform[1]+"\n")
		}
	}
	manager := registry + "/scopegate-manager:" + setup.Version
	for _, image := range []string{manager, strings.Replace(manager, "manager", "authserver", 1)} {
		_, err := setup.Tool(t.Context(), "crane", "validate", "--remote", image)
		expect.NoError(t, err)
	}
	digest, err := setup.Tool(t.Context(), "crane", "digest", manager)
	expect.NoError(t, err)
	want := fmt.Sprintf("%s@%s", manager, strings.TrimSpace(string(digest)))
	for _, file := range []string{"guard", "guard-cleanup", "standalone"} {
		if text := expect.ReadFile(t, filepath.Join(folder, file+".yaml")); !strings.Contains(text, "image: "+want+"\n") {
			t.Errorf("%s.yaml has no image %s", file, want)
		}
	}
	if text := expect.ReadFile(t, filepath.Join(folder, "standalone.yaml")); !strings.Contains(text, "scopegate-authserver:"+setup.Version+"@sha256:") {
		t.Error("standalone.yaml names the auth server's image without its digest")
	}

	cluster := takeCluster(t)
	expect.NoError(t, helm(t, cluster, "install", "scopegate", "oci://"+registry+"/charts/scopegate", "--version", strings.TrimPrefix(setup.Version, "v"), "--plain-http", "--create-namespace"))
	deployment := &appsv1.Deployment{}
	expect.NoError(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: "scopegate-system", Name: "scopegate-guard"}, deployment))
	expect.Equal(t, "image", want, deployment.Spec.Template.Spec.Containers[0].Image)
	expect.NoError(t, helm(t, cluster, "uninstall", "scopegate"))
}
