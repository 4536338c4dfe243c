package packaging_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	guardsetup "github.com/scopegate/scopegate/test/guard/setup"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// installed describes what the installed guard denies by default.
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
	expect.NoError(t, err)
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
	cluster := testenv.StartForTest(t, controlplane.Options{Bare: true})
	kubectl(t, cluster, "apply", "--server-side", "--field-manager=helm", "-f", toolhiveCRDs(t))
	before := specs(t, cluster)

	// Each is applied over the one before it.
	can, err := guardsetup.CanHold(cluster.Client)
	expect.NoError(t, err)
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
		{"guard-start-up.yaml", installed{"Audit Warn", "In"}},
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
	for _, file := range []string{"guard-start-up.yaml", "guard-hold.yaml", "guard.yaml"} {
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

	// Use another namespace: nothing empties one here, so it is never gone.
	release := []string{"scopegate", "charts/scopegate", "--namespace", "elsewhere", "--create-namespace"}
	for i, step := range []struct {
		values []string
		want   installed
	}{
		{nil, installed{"Audit Warn", "In"}},
		{[]string{"--set", "guard.mode=deny", "--set", "guard.startUp=true"}, installed{"Deny", "NotIn"}},
		{[]string{"--set", "guard.mode=deny", "--set", "guard.hold=false"}, installed{"Deny", ""}},
		{[]string{"--set", "guard.hold=auto"}, installed{"Audit Warn", "In"}},
	} {
		step.want.Hold = hold(step.want.Hold)
		expect.NoError(t, helm(t, cluster, slices.Concat([]string{"upgrade", "--install", "--reset-values"}, release, step.values)...))
		if diff := cmp.Diff(step.want, stateOf(t, cluster, can)); diff != "" {
			t.Errorf("%d. with %v (-want +got):\n%s", i+1, step.values, diff)
		}
	}
	expect.NoError(t, helm(t, cluster, "uninstall", "scopegate", "--namespace", "elsewhere"))
	if left := kubectl(t, cluster, "get", guardKinds, "-o", "name", "-l", "app.kubernetes.io/name=scopegate"); left != "" {
		t.Errorf("what is left of the chart:\n%s", left)
	}
	expect.Equal(t, "ToolHive's CRDs have changed", before, specs(t, cluster))
}

// TestGuardNeedsNoNewKinds checks that the guard's one file has nothing that
// Kubernetes 1.30 lacks, and the other files no more than their policy.
func TestGuardNeedsNoNewKinds(t *testing.T) {
	for file, want := range map[string][]string{
		"guard.yaml": {
			"admissionregistration.k8s.io/v1", "apps/v1", "networking.k8s.io/v1", "policy/v1", "rbac.authorization.k8s.io/v1", "v1",
		},
		"guard-hold.yaml": {"admissionregistration.k8s.io/v1"}, "guard-hold-deny.yaml": {"admissionregistration.k8s.io/v1"},
		"guard-start-up.yaml": {"admissionregistration.k8s.io/v1"},
	} {
		objects, err := setup.DecodeFile(filepath.Join(dist, file))
		expect.NoError(t, err)
		versions := map[string]bool{}
		for _, object := range objects {
			versions[object.GetAPIVersion()] = true
			if mutates := strings.HasPrefix(object.GetKind(), "Mutating"); mutates != strings.Contains(file, "hold") {
				t.Errorf("%s has %s", file, name(object))
			}
		}
		expect.Equal(t, file, want, slices.Sorted(maps.Keys(versions)))
	}
}

// TestDefaultScopes checks that one setting, of kustomize and of the chart,
// reaches every policy and the manager.
func TestDefaultScopes(t *testing.T) {
	for title, objects := range map[string][]*unstructured.Unstructured{
		"kustomize": kustomize(t, "config/examples/guard-default-scopes"),
		"chart":     chart(t, "--set", "guard.hold=true", "--set", "guard.startUp=true", "--set", "guard.defaultScopes={openid,profile,groups}"),
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
			expect.Equal(t, "", want, found)
		})
	}
}
