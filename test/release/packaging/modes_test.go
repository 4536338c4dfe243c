package packaging_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// decided is what the settings of the guard change: the policies, the bindings, and two variables of
// the manager.
type decided struct {
	Policies     map[string]admissionv1.ValidatingAdmissionPolicySpec
	Bindings     map[string]admissionv1.ValidatingAdmissionPolicyBindingSpec
	Mode, Scopes string
}

func decidedIn(t *testing.T, objects []*unstructured.Unstructured) decided {
	t.Helper()
	d := decided{Policies: map[string]admissionv1.ValidatingAdmissionPolicySpec{}, Bindings: map[string]admissionv1.ValidatingAdmissionPolicyBindingSpec{}}
	for _, object := range objects {
		switch object.GetKind() {
		case "ValidatingAdmissionPolicy":
			d.Policies[object.GetName()] = as[admissionv1.ValidatingAdmissionPolicy](t, object).Spec
		case "ValidatingAdmissionPolicyBinding":
			d.Bindings[object.GetName()] = as[admissionv1.ValidatingAdmissionPolicyBinding](t, object).Spec
		case "Deployment":
			for _, variable := range as[appsv1.Deployment](t, object).Spec.Template.Spec.Containers[0].Env {
				switch variable.Name {
				case "MODE":
					d.Mode = variable.Value
				case "DEFAULT_SCOPES":
					d.Scopes = variable.Value
				}
			}
		}
	}
	return d
}

// wanted is what a manager compares the policies with.
func wanted(t *testing.T, mode string, configured []string, startUp bool) decided {
	t.Helper()
	scopes := configured
	if scopes == nil {
		scopes = toolhive.DefaultScopes
	}
	policies, err := guard.Policies(mode, configured)
	expect.NoError(t, err)
	d := decidedIn(t, nil)
	d.Mode, d.Scopes = mode, strings.Join(scopes, " ")
	for _, policy := range policies {
		if policy.Name == guard.StartUpPolicy && !startUp {
			continue
		}
		d.Policies[policy.Name] = policy.Spec
		for _, binding := range policy.Bindings {
			d.Bindings[binding.Name] = binding.Spec
		}
	}
	return d
}

func as[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	decoded := new(T)
	expect.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, decoded, true))
	return decoded
}

// TestSettings checks that the manifests give the policies, the bindings and the manager
// the same setting. TestValues checks it for the chart.
func TestSettings(t *testing.T) {
	for _, mode := range guard.Modes[1:] {
		for _, reversed := range []bool{false, true} {
			t.Run(fmt.Sprintf("kustomize, %s, the other way round: %t", mode, reversed), func(t *testing.T) {
				scopes := []string{"openid", "profile", "groups"}
				expect.Equal(t, "setting", wanted(t, mode, scopes, true), decidedIn(t, overlay(t, mode, scopes, reversed)))
			})
		}
		t.Run("dist, "+mode, func(t *testing.T) {
			want, folder := wanted(t, mode, nil, true), distIn(t, mode)
			expect.Equal(t, "guard.yaml and guard-start-up.yaml", want, decidedIn(t, append(decodeFile(t, folder, "guard"), decodeFile(t, folder, "guard-start-up")...)))
			want = wanted(t, mode, nil, false)
			want.Mode, want.Scopes = "", ""
			expect.Equal(t, "guard-policies.yaml", want, decidedIn(t, decodeFile(t, folder, "guard-policies")))
		})
	}
}

// overlay builds the overlay of a user with a mode, scopes and the policy on start-up.
// `make dist` has made bin.
func overlay(t *testing.T, mode string, scopes []string, reversed bool) []*unstructured.Unstructured {
	t.Helper()
	folder, err := os.MkdirTemp(filepath.Join(setup.Root, "bin"), "test-")
	expect.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	resources, components := []string{"../../config/guard", "../../config/guard/start-up"}, []string{"../../config/guard/default-scopes"}
	if mode != guard.ModeWarn {
		components = append(components, "../../config/guard/"+mode)
	}
	generator := fmt.Sprintf("configMapGenerator: [{name: scopegate-default-scopes, literals: [%q], options: {disableNameSuffixHash: true}}]\n",
		"scopes="+strings.Join(scopes, " "))
	if reversed {
		slices.Reverse(resources)
		slices.Reverse(components)
	}
	expect.WriteFile(t, filepath.Join(folder, "kustomization.yaml"),
		fmt.Sprintf("resources: [%s]\ncomponents: [%s]\n%s", strings.Join(resources, ", "), strings.Join(components, ", "), generator))
	return kustomize(t, "bin/"+filepath.Base(folder))
}

// distIn returns the folder with the files of `make dist` with a mode. No two tests that
// use it run at a time.
func distIn(t *testing.T, mode string) string {
	t.Helper()
	if mode == guard.ModeWarn {
		return dist
	}
	folder := filepath.Join(dist, mode)
	if _, err := os.Stat(folder); err != nil {
		expect.NoError(t, setup.Dist(t.Context(), folder, "MODE="+mode))
	}
	return folder
}

// TestDistFiles checks that no file of an older release stays, that a version that looks
// like a number and a registry with a port are quoted, and that a value that would need
// more is refused.
func TestDistFiles(t *testing.T) {
	folder := t.TempDir()
	expect.WriteFile(t, filepath.Join(folder, "guard-deny.yaml"), "older")
	expect.NoError(t, setup.Dist(t.Context(), folder, "VERSION=1e3", "REGISTRY=localhost:5000"))
	entries, err := os.ReadDir(folder)
	expect.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	expect.Equal(t, "files", []string{"guard-cleanup.yaml", "guard-policies.yaml", "guard-start-up.yaml", "guard.yaml", "standalone.yaml"}, names)
	images := 0
	for _, name := range []string{"guard", "guard-cleanup", "standalone"} {
		for _, object := range decodeFile(t, folder, name) {
			expect.Equal(t, name+" "+object.GetName(), "1e3", object.GetLabels()["app.kubernetes.io/version"])
			walk(object.Object, func(value string) {
				if strings.HasPrefix(value, "localhost:5000/scopegate-") && strings.HasSuffix(value, ":1e3") {
					images++
				}
			})
		}
	}
	expect.Equal(t, "images", 4, images)
	for variable, want := range map[string]string{
		"MODE=deny": "choose warn, enforce or strict", "VERSION=v1.2.3+build": "use at most 63 letters",
		"REGISTRY=registry.example.com/": "name a registry", `REGISTRY=a"b`: "name a registry", "REGISTRY=a #b": "name a registry",
	} {
		expect.Error(t, setup.Dist(t.Context(), folder, variable), want)
	}
}

// TestSwitchMode switches the mode of an installation, by each way to install, also
// after somebody edited a binding. The manager's own check reports if anything is not
// as the mode says.
func TestSwitchMode(t *testing.T) {
	t.Parallel()
	cluster := takeCluster(t)
	before := specs(t, cluster)

	apply := func(mode string, more ...string) error {
		arguments := append([]string{"apply", "--server-side"}, more...)
		for _, file := range []string{"guard-policies", "guard", "guard-start-up"} {
			arguments = append(arguments, "-f", filepath.Join(distIn(t, mode), file+".yaml"))
		}
		_, err := setup.Kubectl(t.Context(), cluster.ControlPlane, arguments...)
		return err
	}
	for _, mode := range []string{guard.ModeWarn, guard.ModeStrict, guard.ModeEnforce} {
		expect.NoError(t, apply(mode))
		await(t, cluster, mode, nil)
	}
	// This test is of no release, so what differs and is of one is of another.
	undoEdits(t, cluster, canary.OtherRelease, apply)

	// Policies of another release, before or after the upgrade of the manager.
	file := filepath.Join(t.TempDir(), "other.yaml")
	expect.WriteFile(t, file, strings.NewReplacer(setup.Version, "v1.2.2", "failurePolicy: Ignore", "failurePolicy: Fail").Replace(expect.ReadFile(t, distFile("guard"))))
	kubectl(t, cluster, "apply", "--server-side", "-f", file)
	findings := map[string]canary.Cause{}
	for _, policy := range guard.PolicyNames {
		findings[policy] = canary.OtherRelease
	}
	await(t, cluster, guard.ModeWarn, findings)
	kubectl(t, cluster, "delete", "-f", distFile("guard-start-up"), "-f", distFile("guard"))
	nothingLeft(t, cluster)

	upgrade := func(mode string, more ...string) error {
		return helm(t, cluster, append([]string{"upgrade", "--install", "scopegate", "charts/scopegate", "--create-namespace", "--set", "guard.startUp=true,guard.mode=" + mode}, more...)...)
	}
	expect.NoError(t, upgrade(guard.ModeEnforce))
	await(t, cluster, guard.ModeEnforce, nil)
	undoEdits(t, cluster, canary.Changed, upgrade)
	expect.NoError(t, helm(t, cluster, "uninstall", "scopegate"))
	kubectl(t, cluster, "delete", "namespace", controlplane.Namespace)
	kubectl(t, cluster, "wait", "--for=delete", "namespace", guard.CanaryNamespace)
	nothingLeft(t, cluster)
	expect.Equal(t, "ToolHive's CRDs have changed", before, specs(t, cluster))
}

// undoEdits edits a binding by hand, in mode enforce, and undoes that by the documented
// steps, in mode warn.
func undoEdits(t *testing.T, cluster *testenv.Cluster, cause canary.Cause, install func(mode string, more ...string) error) {
	t.Helper()
	const binding = "scopegate-consumers-warn"
	edit := func(patch string) {
		t.Helper()
		kubectl(t, cluster, "patch", "validatingadmissionpolicybinding", binding, "--type=merge", "--patch="+patch)
	}
	edit(`{"spec":{"validationActions":["Audit"],"matchResources":{"namespaceSelector":null}}}`)
	await(t, cluster, guard.ModeEnforce, map[string]canary.Cause{guard.ConsumersPolicy: cause})
	expect.Error(t, install(guard.ModeWarn), `conflict with "kubectl-patch"`)
	expect.NoError(t, install(guard.ModeWarn, "--force-conflicts"))
	await(t, cluster, guard.ModeWarn, nil)

	// docs/how-to/troubleshooting.md
	edit(`{"spec":{"validationActions":["Deny"]}}`)
	expect.Error(t, install(guard.ModeWarn, "--force-conflicts"), "must not contain both Deny and Warn")
	kubectl(t, cluster, "delete", "validatingadmissionpolicybinding", binding)
	expect.NoError(t, install(guard.ModeWarn))
	await(t, cluster, guard.ModeWarn, nil)
}

// await waits until the check of a manager in a mode has these findings.
func await(t *testing.T, cluster *testenv.Cluster, mode string, want map[string]canary.Cause) {
	t.Helper()
	policies, err := guard.Policies(mode, nil)
	expect.NoError(t, err)
	checker, err := canary.New(cluster.Config, operator.Scheme, policies, nil)
	expect.NoError(t, err)
	var found map[string]canary.Finding
	var last error
	// A check is dozens of requests, so this polls less often than expect.Eventually.
	err = wait.PollUntilContextTimeout(t.Context(), 250*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		if found, last = checker.Check(ctx); last != nil || len(found) != len(policies)+1 {
			return false, nil // New policies and CRDs need a moment.
		}
		causes := map[string]canary.Cause{}
		for policy, finding := range found {
			if finding != (canary.Finding{}) {
				causes[policy] = finding.Cause
			}
		}
		return cmp.Equal(want, causes, cmpopts.EquateEmpty()), nil
	})
	if err != nil {
		t.Fatalf("the check in mode %s does not find %v: %v, %v", mode, want, found, errors.Join(last, err))
	}
}

// nothingLeft checks that nothing of the guard is left but the namespaces: nothing
// empties them here.
func nothingLeft(t *testing.T, cluster *testenv.Cluster) {
	t.Helper()
	if left := kubectl(t, cluster, "get", "validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles,clusterrolebindings", "-o", "name", "-l", "app.kubernetes.io/name=scopegate"); left != "" {
		t.Errorf("what is left:\n%s", left)
	}
}
