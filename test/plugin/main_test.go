// Package plugin_test runs the built kubectl plugin as users do, against real API
// servers: one with scopegate's CRDs and its manager, and one with ToolHive's
// CRDs. krew also installs it.
package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/e2e/chart"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	// standalone has scopegate's CRDs and its manager, guarded ToolHive's CRDs.
	standalone, guarded *testenv.Cluster
	plugin              string
)

func TestMain(m *testing.M) {
	testenv.RunMain(m, func(ctx context.Context, atEnd func(func() error)) (err error) {
		folder, err := os.MkdirTemp("", "scopegate-plugin-")
		if err != nil {
			return err
		}
		atEnd(func() error { return os.RemoveAll(folder) })
		plugin = filepath.Join(folder, "kubectl-scopegate")
		if err := testenv.Build(ctx, "github.com/scopegate/scopegate/cmd/kubectl-scopegate", plugin); err != nil {
			return err
		}
		if standalone, err = testenv.Start(ctx, controlplane.Options{}); err != nil {
			return err
		}
		atEnd(standalone.Stop)
		// First test the plugin on a cluster without any CRDs.
		if guarded, err = testenv.Start(ctx, controlplane.Options{CRDs: []*apiextensionsv1.CustomResourceDefinition{}}); err != nil {
			return err
		}
		atEnd(guarded.Stop)
		answer := kubectl(ctx, guarded, "tree")
		if want := "neither ToolHive's nor scopegate's CRDs are installed"; answer.code != 3 || !strings.Contains(answer.stderr, want) {
			return fmt.Errorf("without CRDs: got %+v, want exit status 3 and %q", answer, want)
		}
		toolHive, err := chart.CRDs("../..")
		if err != nil {
			return err
		}
		// The API server publishes the OpenAPI schemas of CRDs a little later.
		await := func(crds, want string, code int) error {
			if _, err := envtest.InstallCRDs(guarded.Config, envtest.CRDInstallOptions{MaxTime: time.Minute, Paths: []string{crds}, ErrorIfPathMissing: true}); err != nil {
				return err
			}
			err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
				answer = kubectl(ctx, guarded, "tree")
				return answer.code == code && strings.Contains(answer.stderr, want), nil
			})
			if err != nil {
				return fmt.Errorf("with the CRDs in %s: %w: %+v", crds, err, answer)
			}
			return nil
		}
		if err := await(filepath.Join(toolHive, "toolhive.stacklok.dev_mcpservers.yaml"), "serves no MCPExternalAuthConfig", 3); err != nil {
			return err
		}
		return await(toolHive, "", 0)
	})
}

type answer struct {
	stdout, stderr string
	code           int
}

// kubectl runs the plugin by kubectl, as a user with the kubeconfig of a cluster.
func kubectl(ctx context.Context, cluster *testenv.Cluster, arguments ...string) answer {
	command := exec.CommandContext(ctx, cluster.KubectlPath, append([]string{"scopegate"}, arguments...)...) //nolint:gosec // The pinned binary.
	command.Env = environment(cluster)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return answer{stderr: err.Error(), code: -1}
	}
	return answer{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
}

// environment returns the environment of a user with the plugin and the
// kubeconfig of a cluster.
func environment(cluster *testenv.Cluster) []string {
	return append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig, "PATH="+filepath.Dir(plugin)+":"+os.Getenv("PATH"), "KUBECTL_KUBERC=false")
}

func succeed(t *testing.T, cluster *testenv.Cluster, arguments ...string) string {
	t.Helper()
	got := kubectl(t.Context(), cluster, arguments...)
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("%v: exit status %d, stderr: %s", arguments, got.code, got.stderr)
	}
	return got.stdout
}

// golden compares a text with a file of testdata. The file has the version of the
// default API server.
func golden(t *testing.T, name, got string) {
	t.Helper()
	server, err := discovery.NewDiscoveryClientForConfigOrDie(guarded.Config).ServerVersion()
	expect.NoError(t, err)
	got = strings.ReplaceAll(got, server.GitVersion, "v1.37.2")
	expect.Golden(t, *update, filepath.Join("testdata", name), got)
}

func namespace(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}
