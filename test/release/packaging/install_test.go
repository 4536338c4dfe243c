package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	toolhive "github.com/scopegate/scopegate/test/e2e/chart"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// toolhiveCRDs is the folder of ToolHive's CRDs.
func toolhiveCRDs(t *testing.T) string {
	t.Helper()
	folder, err := toolhive.CRDs(setup.Root)
	expect.NoError(t, err)
	return folder
}

func kubectl(t *testing.T, cluster *testenv.Cluster, arguments ...string) string {
	t.Helper()
	output, err := setup.Kubectl(t.Context(), cluster.ControlPlane, arguments...)
	expect.NoError(t, err)
	return output
}

func helm(t *testing.T, cluster *testenv.Cluster, arguments ...string) error {
	t.Helper()
	_, err := setup.Tool(t.Context(), append([]string{"helm", "--kubeconfig", cluster.Kubeconfig, "--namespace", "scopegate-system"}, arguments...)...)
	return err
}

// specs are the CRDs that are installed, by name.
func specs(t *testing.T, cluster *testenv.Cluster) map[string]apiextensionsv1.CustomResourceDefinitionSpec {
	t.Helper()
	list := &apiextensionsv1.CustomResourceDefinitionList{}
	expect.NoError(t, cluster.Client.List(t.Context(), list))
	all := map[string]apiextensionsv1.CustomResourceDefinitionSpec{}
	for _, crd := range list.Items {
		all[crd.Name] = crd.Spec
	}
	return all
}

// standaloneApply is the documented command. preflight is the command before
// it.
var (
	standaloneApply = []string{"apply", "--server-side", "--field-manager=scopegate", "-f"}
	preflight       = []string{"apply", "--server-side", "--field-manager=scopegate", "--dry-run=server", "-l", "app.kubernetes.io/component=crd", "-f"}
)

// TestStandaloneRefusesToolHive checks that standalone mode changes nothing on a cluster
// with ToolHive's CRDs, however they were installed.
func TestStandaloneRefusesToolHive(t *testing.T) {
	t.Parallel()
	for title, arguments := range map[string][]string{
		"by Helm":           {"apply", "--server-side", "--field-manager=helm"},
		"by kubectl":        {"apply", "--server-side"},
		"by kubectl create": {"create"},
		"by Argo CD":        {"apply", "--server-side", "--field-manager=argocd-controller"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			// Each case has its own cluster, because deleting ToolHive's CRDs
			// takes longer.
			cluster := testenv.StartForTest(t, controlplane.Options{Bare: true})
			kubectl(t, cluster, append(arguments, "-f", toolhiveCRDs(t))...)
			before := specs(t, cluster)
			// As documented, the second command runs only if the first one
			// succeeds.
			_, stderr, err := cluster.Kubectl(t.Context(), nil, append(preflight, distFile("standalone"))...)
			if err == nil || !strings.Contains(stderr, "conflict") {
				t.Errorf("the preflight says %v:\n%s", err, stderr)
			}
			if namespaces := kubectl(t, cluster, "get", "namespaces", "-o", "name"); strings.Contains(namespaces, "scopegate") {
				t.Errorf("the preflight has made something: %s", namespaces)
			}
			err = helm(t, cluster, "install", "scopegate", "charts/scopegate", "--create-namespace", "--set", "mode=standalone")
			expect.Error(t, err, "this cluster has ToolHive's CRDs")
			if namespaces := kubectl(t, cluster, "get", "namespaces", "-o", "name"); strings.Contains(namespaces, "scopegate") {
				t.Errorf("the chart has made something: %s", namespaces)
			}
			expect.Equal(t, "ToolHive's CRDs have changed", before, specs(t, cluster))
		})
	}
	t.Run("without the preflight", func(t *testing.T) {
		t.Parallel()
		cluster := testenv.StartForTest(t, controlplane.Options{Bare: true})
		kubectl(t, cluster, "apply", "--server-side", "--field-manager=helm", "-f", toolhiveCRDs(t))
		before := specs(t, cluster)
		_, stderr, err := cluster.Kubectl(t.Context(), nil, "apply", "--server-side", "-f", distFile("standalone"))
		if err == nil {
			t.Error("the file was applied")
		}
		if conflicts := strings.Count(stderr, `conflicts with "helm"`); conflicts != 5 {
			t.Errorf("%d conflicts, want one for each of the 5 CRDs:\n%s", conflicts, stderr)
		}
		expect.Equal(t, "ToolHive's CRDs have changed", before, specs(t, cluster))
	})
}

// TestChartRefusesToolHivesOperator covers a cluster where the operator runs,
// but its CRDs are gone.
func TestChartRefusesToolHivesOperator(t *testing.T) {
	cluster := testenv.StartForTest(t, controlplane.Options{Bare: true})
	kubectl(t, cluster, "create", "deployment", "toolhive-operator", "--image=example.com/operator")
	kubectl(t, cluster, "label", "deployment", "toolhive-operator", "app.kubernetes.io/name=toolhive-operator")
	err := helm(t, cluster, "install", "scopegate", "charts/scopegate", "--create-namespace", "--set", "mode=standalone")
	expect.Error(t, err, "ToolHive's operator runs in this cluster (Deployment default/toolhive-operator)")
}

// TestStandaloneUpgradesCRDs installs standalone mode from an older release, and upgrades
// it in the same way.
func TestStandaloneUpgradesCRDs(t *testing.T) {
	older := func(t *testing.T, folder, from string) string {
		t.Helper()
		path := filepath.Join(folder, "older")
		expect.Output(t, exec.CommandContext(t.Context(), "cp", "-rL", from, path)) //nolint:gosec // Our own files.
		changed := 0
		err := filepath.WalkDir(path, func(file string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(file) //nolint:gosec // A copy.
			if err != nil {
				return err
			}
			replaced := strings.ReplaceAll(string(text), "shortNames:\n    - extauth\n", "shortNames:\n    - olderextauth\n")
			if replaced != string(text) {
				changed++
			}
			return os.WriteFile(file, []byte(replaced), 0o600)
		})
		if err != nil || changed == 0 {
			t.Fatalf("%d files changed: %v", changed, err)
		}
		return path
	}
	shortName := func(t *testing.T, cluster *testenv.Cluster) string {
		t.Helper()
		crd := &apiextensionsv1.CustomResourceDefinition{}
		expect.NoError(t, cluster.Client.Get(t.Context(), client.ObjectKey{Name: "mcpexternalauthconfigs.toolhive.stacklok.dev"}, crd))
		return crd.Spec.Names.ShortNames[0]
	}
	chart, err := filepath.Abs(filepath.Join(setup.Root, "charts/scopegate"))
	expect.NoError(t, err)
	for title, tc := range map[string]struct {
		current string
		install func(*testing.T, *testenv.Cluster, string) error
	}{
		"kubectl": {distFile("standalone"), func(t *testing.T, cluster *testenv.Cluster, path string) error {
			_, err := setup.Kubectl(t.Context(), cluster.ControlPlane, append(standaloneApply, path)...)
			return err
		}},
		"helm": {chart, func(t *testing.T, cluster *testenv.Cluster, path string) error {
			return helm(t, cluster, "upgrade", "--install", "scopegate", path, "--create-namespace", "--set", "mode=standalone")
		}},
	} {
		t.Run(title, func(t *testing.T) {
			cluster := testenv.StartForTest(t, controlplane.Options{Bare: true})
			expect.NoError(t, tc.install(t, cluster, older(t, t.TempDir(), tc.current)))
			if got := shortName(t, cluster); got != "olderextauth" {
				t.Fatalf("the older release has %s", got)
			}
			expect.NoError(t, tc.install(t, cluster, tc.current))
			if got := shortName(t, cluster); got != "extauth" {
				t.Errorf("after the upgrade it is still %s", got)
			}
			if title == "helm" {
				expect.NoError(t, helm(t, cluster, "uninstall", "scopegate"))
				if len(specs(t, cluster)) != 5 {
					t.Error("uninstalling the chart has removed CRDs, and so everybody's objects")
				}
			}
		})
	}
}
