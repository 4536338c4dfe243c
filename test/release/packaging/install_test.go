package packaging_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	guardsetup "github.com/scopegate/scopegate/test/guard/setup"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// startBare starts an API server with nothing of scopegate's, until the test ends.
func startBare(t *testing.T) *testenv.Cluster {
	t.Helper()
	cluster, err := testenv.Start(t.Context(), controlplane.Options{Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

// kubectl must succeed.
func kubectl(t *testing.T, cluster *testenv.Cluster, arguments ...string) string {
	t.Helper()
	output, err := setup.Kubectl(t.Context(), cluster.ControlPlane, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// helm runs helm as a user of the cluster.
func helm(t *testing.T, cluster *testenv.Cluster, arguments ...string) error {
	t.Helper()
	_, err := setup.Tool(t.Context(), append([]string{"helm", "--kubeconfig", cluster.Kubeconfig, "--namespace", "scopegate-system"}, arguments...)...)
	return err
}

// specs are the CRDs that are installed, by name.
func specs(t *testing.T, cluster *testenv.Cluster) map[string]apiextensionsv1.CustomResourceDefinitionSpec {
	t.Helper()
	list := &apiextensionsv1.CustomResourceDefinitionList{}
	if err := cluster.Client.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	all := map[string]apiextensionsv1.CustomResourceDefinitionSpec{}
	for _, crd := range list.Items {
		all[crd.Name] = crd.Spec
	}
	return all
}

func toolhiveCRDs(t *testing.T) string {
	t.Helper()
	folder, err := setup.ToolHiveCRDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// installed is what of the guard denies by default.
type installed struct {
	// Actions of the default bindings, and Hold the operator of the selector of
	// namespaces where updates are held, "" where the hold is not installed.
	Actions, Hold string
}

func stateOf(t *testing.T, cluster *testenv.Cluster, can bool) installed {
	t.Helper()
	kinds := "validatingadmissionpolicybindings"
	if can {
		kinds += ",mutatingadmissionpolicybindings"
	}
	all, err := setup.DecodeList(kubectl(t, cluster, "get", kinds, "-l", "app.kubernetes.io/component=guard", "-o", "json"))
	if err != nil {
		t.Fatal(err)
	}
	state, actions := installed{}, map[string]bool{}
	for _, object := range all {
		if object.GetKind() == "MutatingAdmissionPolicyBinding" {
			expressions, _, _ := unstructured.NestedSlice(object.Object, "spec", "matchResources", "namespaceSelector", "matchExpressions")
			state.Hold = expressions[0].(map[string]any)["operator"].(string)
			continue
		}
		if strings.HasSuffix(object.GetName(), "-default") {
			list, _, _ := unstructured.NestedStringSlice(object.Object, "spec", "validationActions")
			for _, action := range list {
				actions[action] = true
			}
		}
	}
	state.Actions = strings.Join(slices.Sorted(maps.Keys(actions)), " ")
	return state
}

// TestGuardInstalls installs the guard beside ToolHive's CRDs, in all of its
// combinations, and changes none of those CRDs.
func TestGuardInstalls(t *testing.T) {
	cluster := startBare(t)
	kubectl(t, cluster, "apply", "--server-side", "--field-manager=helm", "-f", toolhiveCRDs(t))
	before := specs(t, cluster)

	// Each is applied over the one before it.
	can, err := guardsetup.CanHold(cluster.Client)
	if err != nil {
		t.Fatal(err)
	}
	hold := func(operator string) string { return map[bool]string{true: operator}[can] }
	for i, step := range []struct {
		file string
		want installed
	}{
		{"guard.yaml", installed{"Audit Warn", ""}}, {"guard.yaml", installed{"Audit Warn", ""}},
		{"guard-hold.yaml", installed{"Audit Warn", "In"}},
		{"guard-deny.yaml", installed{"Deny", "In"}},
		{"guard-hold-deny.yaml", installed{"Deny", "NotIn"}}, {"guard-hold-deny.yaml", installed{"Deny", "NotIn"}},
		{"guard.yaml", installed{"Audit Warn", "NotIn"}},
		{"guard-hold.yaml", installed{"Audit Warn", "In"}},
	} {
		if !can && strings.Contains(step.file, "hold") {
			continue
		}
		step.want.Hold = hold(step.want.Hold)
		_, stderr, err := cluster.Kubectl(t.Context(), nil, "apply", "--server-side", "-f", filepath.Join(dist, step.file))
		if err != nil || stderr != "" {
			t.Fatalf("%d. applying %s: %v\n%s", i+1, step.file, err, stderr)
		}
		if diff := cmp.Diff(step.want, stateOf(t, cluster, can)); diff != "" {
			t.Errorf("%d. %s (-want +got):\n%s", i+1, step.file, diff)
		}
	}
	for _, file := range []string{"guard-hold.yaml", "guard.yaml"} {
		if !can && file == "guard-hold.yaml" {
			continue
		}
		kubectl(t, cluster, "delete", "--wait=false", "-f", filepath.Join(dist, file))
	}
	guardKinds := "validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles,clusterrolebindings"
	if can {
		guardKinds += ",mutatingadmissionpolicies,mutatingadmissionpolicybindings"
	}
	if left := kubectl(t, cluster, "get", guardKinds, "-o", "name", "-l", "app.kubernetes.io/name=scopegate"); left != "" {
		t.Errorf("what is left:\n%s", left)
	}

	// A namespace is never gone here: nothing empties it. So another.
	release := []string{"scopegate", "charts/scopegate", "--namespace", "elsewhere", "--create-namespace"}
	for i, step := range []struct {
		values []string
		want   installed
	}{
		{nil, installed{"Audit Warn", "In"}},
		{[]string{"--set", "guard.mode=deny"}, installed{"Deny", "NotIn"}},
		{[]string{"--set", "guard.mode=deny", "--set", "guard.hold=false"}, installed{"Deny", ""}},
		{[]string{"--set", "guard.hold=auto"}, installed{"Audit Warn", "In"}},
	} {
		step.want.Hold = hold(step.want.Hold)
		if err := helm(t, cluster, slices.Concat([]string{"upgrade", "--install", "--reset-values"}, release, step.values)...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, stateOf(t, cluster, can)); diff != "" {
			t.Errorf("%d. with %v (-want +got):\n%s", i+1, step.values, diff)
		}
	}
	if err := helm(t, cluster, "uninstall", "scopegate", "--namespace", "elsewhere"); err != nil {
		t.Fatal(err)
	}
	if left := kubectl(t, cluster, "get", guardKinds, "-o", "name", "-l", "app.kubernetes.io/name=scopegate"); left != "" {
		t.Errorf("what is left of the chart:\n%s", left)
	}
	if diff := cmp.Diff(before, specs(t, cluster)); diff != "" {
		t.Errorf("ToolHive's CRDs have changed (-before +after):\n%s", diff)
	}
}

// TestGuardNeedsNoNewKinds holds that the guard's one file has nothing that
// Kubernetes 1.30 lacks, and the hold's no more than its two objects.
func TestGuardNeedsNoNewKinds(t *testing.T) {
	for file, want := range map[string][]string{
		"guard.yaml": {
			"admissionregistration.k8s.io/v1", "apps/v1", "networking.k8s.io/v1", "policy/v1", "rbac.authorization.k8s.io/v1", "v1",
		},
		"guard-hold.yaml": {"admissionregistration.k8s.io/v1"}, "guard-hold-deny.yaml": {"admissionregistration.k8s.io/v1"},
	} {
		objects, err := setup.DecodeFile(filepath.Join(dist, file))
		if err != nil {
			t.Fatal(err)
		}
		versions := map[string]bool{}
		for _, object := range objects {
			versions[object.GetAPIVersion()] = true
			if mutates := strings.HasPrefix(object.GetKind(), "Mutating"); mutates != strings.Contains(file, "hold") {
				t.Errorf("%s has %s", file, name(object))
			}
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(versions))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// TestDefaultScopes follows one setting, of kustomize and of the chart, to every
// policy and to the manager.
func TestDefaultScopes(t *testing.T) {
	for title, objects := range map[string][]*unstructured.Unstructured{
		"kustomize": kustomize(t, "config/examples/guard-default-scopes"),
		"chart":     chart(t, "--set", "guard.hold=true", "--set", "guard.defaultScopes={openid,profile,groups}"),
	} {
		t.Run(title, func(t *testing.T) {
			found := map[string]string{}
			for _, object := range objects {
				variables, _, _ := unstructured.NestedSlice(object.Object, "spec", "variables")
				for _, variable := range variables {
					if variable := variable.(map[string]any); variable["name"] == "defaults" {
						found[object.GetName()] = variable["expression"].(string)
					}
				}
				if object.GetKind() == "Deployment" {
					containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
					for _, variable := range containers[0].(map[string]any)["env"].([]any) {
						if variable := variable.(map[string]any); variable["name"] == "DEFAULT_SCOPES" {
							found[object.GetName()] = variable["value"].(string)
						}
					}
				}
			}
			want := map[string]string{"scopegate-guard": "openid profile groups", guard.HoldPolicy: "'openid profile groups'.split(' ')"}
			for _, policy := range guard.ValidatingPolicies {
				want[policy] = "'openid profile groups'.split(' ')"
			}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// standaloneApply is the documented command, and preflight what is run before it.
var (
	standaloneApply = []string{"apply", "--server-side", "--field-manager=scopegate", "-f"}
	preflight       = []string{"apply", "--server-side", "--field-manager=scopegate", "--dry-run=server", "-l", "app.kubernetes.io/component=crd", "-f"}
)

// TestStandaloneRefusesToolHive holds that standalone mode changes nothing of a cluster
// with ToolHive's CRDs, however they got there.
func TestStandaloneRefusesToolHive(t *testing.T) {
	for title, arguments := range map[string][]string{
		"by Helm":           {"apply", "--server-side", "--field-manager=helm"},
		"by kubectl":        {"apply", "--server-side"},
		"by kubectl create": {"create"},
		"by Argo CD":        {"apply", "--server-side", "--field-manager=argocd-controller"},
	} {
		t.Run(title, func(t *testing.T) {
			// Each its own cluster: deleting ToolHive's CRDs takes longer.
			cluster := startBare(t)
			kubectl(t, cluster, append(arguments, "-f", toolhiveCRDs(t))...)
			before := specs(t, cluster)
			// As documented: the second only if the first succeeds.
			_, stderr, err := cluster.Kubectl(t.Context(), nil, append(preflight, distFile("standalone"))...)
			if err == nil || !strings.Contains(stderr, "conflict") {
				t.Errorf("the preflight says %v:\n%s", err, stderr)
			}
			if namespaces := kubectl(t, cluster, "get", "namespaces", "-o", "name"); strings.Contains(namespaces, "scopegate") {
				t.Errorf("the preflight has made something: %s", namespaces)
			}
			err = helm(t, cluster, "install", "scopegate", "charts/scopegate", "--create-namespace", "--set", "mode=standalone")
			if err == nil || !strings.Contains(err.Error(), "this cluster has ToolHive's CRDs") {
				t.Errorf("the chart says %v", err)
			}
			if namespaces := kubectl(t, cluster, "get", "namespaces", "-o", "name"); strings.Contains(namespaces, "scopegate") {
				t.Errorf("the chart has made something: %s", namespaces)
			}
			if diff := cmp.Diff(before, specs(t, cluster)); diff != "" {
				t.Errorf("ToolHive's CRDs have changed (-before +after):\n%s", diff)
			}
		})
	}
	t.Run("without the preflight", func(t *testing.T) {
		cluster := startBare(t)
		kubectl(t, cluster, "apply", "--server-side", "--field-manager=helm", "-f", toolhiveCRDs(t))
		before := specs(t, cluster)
		_, stderr, err := cluster.Kubectl(t.Context(), nil, "apply", "--server-side", "-f", distFile("standalone"))
		if err == nil {
			t.Error("the file was applied")
		}
		if conflicts := strings.Count(stderr, `conflicts with "helm"`); conflicts != 5 {
			t.Errorf("%d conflicts, want one for each of the 5 CRDs:\n%s", conflicts, stderr)
		}
		if diff := cmp.Diff(before, specs(t, cluster)); diff != "" {
			t.Errorf("ToolHive's CRDs have changed (-before +after):\n%s", diff)
		}
	})
}

// TestChartRefusesToolHivesOperator is of a cluster where the operator runs and
// its CRDs are, for whatever reason, gone.
func TestChartRefusesToolHivesOperator(t *testing.T) {
	cluster := startBare(t)
	kubectl(t, cluster, "create", "deployment", "toolhive-operator", "--image=example.com/operator")
	kubectl(t, cluster, "label", "deployment", "toolhive-operator", "app.kubernetes.io/name=toolhive-operator")
	err := helm(t, cluster, "install", "scopegate", "charts/scopegate", "--create-namespace", "--set", "mode=standalone")
	if err == nil || !strings.Contains(err.Error(), "ToolHive's operator runs in this cluster (Deployment default/toolhive-operator)") {
		t.Errorf("the chart says %v", err)
	}
}

// TestStandaloneUpgradesCRDs installs standalone mode from an older release, and upgrades
// it in the same way.
func TestStandaloneUpgradesCRDs(t *testing.T) {
	older := func(t *testing.T, folder, from string) string {
		t.Helper()
		path := filepath.Join(folder, "older")
		if output, err := exec.CommandContext(t.Context(), "cp", "-rL", from, path).CombinedOutput(); err != nil { //nolint:gosec // Our own files.
			t.Fatalf("%v: %s", err, output)
		}
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
		if err := cluster.Client.Get(t.Context(), client.ObjectKey{Name: "mcpexternalauthconfigs.toolhive.stacklok.dev"}, crd); err != nil {
			t.Fatal(err)
		}
		return crd.Spec.Names.ShortNames[0]
	}
	chart, err := filepath.Abs(filepath.Join(setup.Root, "charts/scopegate"))
	if err != nil {
		t.Fatal(err)
	}
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
			cluster := startBare(t)
			if err := tc.install(t, cluster, older(t, t.TempDir(), tc.current)); err != nil {
				t.Fatal(err)
			}
			if got := shortName(t, cluster); got != "olderextauth" {
				t.Fatalf("the older release has %s", got)
			}
			if err := tc.install(t, cluster, tc.current); err != nil {
				t.Fatal(err)
			}
			if got := shortName(t, cluster); got != "extauth" {
				t.Errorf("after the upgrade it is still %s", got)
			}
			if title == "helm" {
				if err := helm(t, cluster, "uninstall", "scopegate"); err != nil {
					t.Fatal(err)
				}
				if len(specs(t, cluster)) != 5 {
					t.Error("uninstalling the chart has removed CRDs, and so everybody's objects")
				}
			}
		})
	}
}
