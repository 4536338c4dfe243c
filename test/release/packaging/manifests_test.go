package packaging_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// TestDistHoldsEveryManifest checks that nothing in the folders that the tests
// install is left out of what users install.
func TestDistHoldsEveryManifest(t *testing.T) {
	for mode, folders := range map[string][]string{
		"guard":      {"guard/manager", "guard/rbac", "guard/policies"},
		"standalone": {"crd", "rbac"},
	} {
		t.Run(mode, func(t *testing.T) {
			shipped := byName(objectsOfDist(t, mode))
			for _, folder := range folders {
				objects, err := config.Objects(folder)
				expect.NoError(t, err)
				if len(objects) == 0 {
					t.Errorf("config/%s has no manifests", folder)
				}
				for _, want := range objects {
					got := shipped[name(want)]
					if got == nil {
						t.Errorf("config/%s has %s, which is not in the file: add it to the Kustomization there", folder, name(want))
						continue
					}
					expect.Equal(t, name(want)+" differs", plain(want), plain(got))
				}
			}
		})
	}
}

// TestImages checks that every image is of the version that is released.
func TestImages(t *testing.T) {
	prefix, suffix := setup.Registry+"/scopegate-", ":"+setup.Version
	for mode, want := range map[string][]string{
		"guard":      {prefix + "manager" + suffix},
		"standalone": {prefix + "authserver" + suffix, prefix + "manager" + suffix},
	} {
		t.Run(mode, func(t *testing.T) {
			got := map[string]bool{}
			for _, object := range objectsOfDist(t, mode) {
				if object.GetKind() == "Deployment" {
					walk(object.Object, func(value string) {
						if strings.Contains(value, "scopegate-manager:") || strings.Contains(value, "scopegate-authserver:") {
							got[value] = true
						}
					})
				}
			}
			for _, image := range want {
				if !got[image] {
					t.Errorf("no %s among %v", image, got)
				}
				delete(got, image)
			}
			if len(got) > 0 {
				t.Errorf("other images: %v", got)
			}
		})
	}
}

// TestChartSaysTheSame compares the chart with kustomize's output, object by
// object.
func TestChartSaysTheSame(t *testing.T) {
	local := []string{"--set", "image.tag=latest"}
	namespaces := []string{"--set", "watchNamespaces={team-a,team-b}"}
	for title, tc := range map[string]struct {
		want   func(*testing.T) []*unstructured.Unstructured
		values []string
	}{
		"guard":                    {func(t *testing.T) []*unstructured.Unstructured { return objectsOfDist(t, "guard") }, slices.Concat(images, noHold)},
		"standalone":               {func(t *testing.T) []*unstructured.Unstructured { return objectsOfDist(t, "standalone") }, slices.Concat(images, []string{"--set", "mode=standalone"})},
		"guard that refuses":       {example("guard-deny"), slices.Concat(local, noHold, []string{"--set", "guard.mode=deny"})},
		"hold":                     {withMore("guard", "guard-hold"), slices.Concat(local, []string{"--set", "guard.hold=true"})},
		"hold that denies":         {withMore("guard-deny", "guard-hold-deny"), slices.Concat(local, []string{"--set", "guard.hold=true", "--set", "guard.mode=deny"})},
		"other refusals at start":  {withMore("guard", "guard-start-up"), slices.Concat(local, noHold, []string{"--set", "guard.startUp=true"})},
		"guard in namespaces":      {example("namespaced-guard"), slices.Concat(local, namespaces, noHold)},
		"standalone in namespaces": {example("namespaced"), slices.Concat(local, namespaces, []string{"--set", "mode=standalone", "--set", "authServer.image.tag=latest"})},
	} {
		t.Run(title, func(t *testing.T) {
			want := byName(tc.want(t))
			// Helm makes the namespace itself, or is given one.
			delete(want, "v1 Namespace  scopegate-system")
			expect.Equal(t, "the chart differs", plainAll(want), plainAll(byName(chart(t, tc.values...))))
		})
	}
}

// noHold are values of the chart that leave out the hold, as guard.yaml does.
var noHold = []string{"--set", "guard.hold=false"}

// withMore returns the objects of the guard, in a mode, with those of another
// file.
func withMore(mode, more string) func(*testing.T) []*unstructured.Unstructured {
	return func(t *testing.T) []*unstructured.Unstructured {
		folder := "config/guard"
		if mode != "guard" {
			folder = "config/examples/" + mode
		}
		return append(kustomize(t, folder), kustomize(t, "config/examples/"+more)...)
	}
}

func example(folder string) func(*testing.T) []*unstructured.Unstructured {
	return func(t *testing.T) []*unstructured.Unstructured { return kustomize(t, "config/examples/"+folder) }
}

// TestChartInAnotherNamespace checks that no object, and no reference, is left in
// the namespace that the manifests name.
func TestChartInAnotherNamespace(t *testing.T) {
	for _, mode := range []string{"guard", "standalone"} {
		t.Run(mode, func(t *testing.T) {
			for _, object := range chart(t, "--set", "mode="+mode, "--namespace", "elsewhere") {
				walk(object.Object, func(value string) {
					if strings.Contains(value, "scopegate-system") {
						t.Errorf("%s still says %q", name(object), value)
					}
				})
			}
		})
	}
}

func byName(objects []*unstructured.Unstructured) map[string]*unstructured.Unstructured {
	named := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		if named[name(object)] != nil {
			panic("twice: " + name(object))
		}
		named[name(object)] = object
	}
	return named
}

func plainAll(objects map[string]*unstructured.Unstructured) map[string]any {
	all := map[string]any{}
	for name, object := range objects {
		all[name] = plain(object)
	}
	return all
}

// plain drops what only one of the ways to install has: the labels of Helm, and
// the label by which users find everything of scopegate.
func plain(object *unstructured.Unstructured) map[string]any {
	object = object.DeepCopy()
	labels := object.GetLabels()
	for _, label := range []string{
		"app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart", "app.kubernetes.io/name", "app.kubernetes.io/component",
	} {
		delete(labels, label)
	}
	annotations := object.GetAnnotations()
	delete(annotations, "helm.sh/resource-policy")
	// An absent map is the same as an empty one.
	if len(labels) == 0 {
		labels = nil
	}
	if len(annotations) == 0 {
		annotations = nil
	}
	object.SetLabels(labels)
	object.SetAnnotations(annotations)
	return object.Object
}

func walk(value any, visit func(string)) {
	switch value := value.(type) {
	case string:
		visit(value)
	case map[string]any:
		for _, v := range value {
			walk(v, visit)
		}
	case []any:
		for _, v := range value {
			walk(v, visit)
		}
	}
}

// TestChartLints runs Helm's own checks in both modes.
func TestChartLints(t *testing.T) {
	for _, mode := range []string{"guard", "standalone"} {
		if _, err := setup.Tool(t.Context(), "helm", "lint", "--strict", "--set", "mode="+mode, "charts/scopegate"); err != nil {
			t.Error(err)
		}
	}
}

// TestChartRefusesValues checks that the chart reports a wrong value before it
// installs anything.
func TestChartRefusesValues(t *testing.T) {
	for title, tc := range map[string]struct{ value, want string }{
		"unknown mode":         {"mode=both", "mode"},
		"unknown guard mode":   {"guard.mode=refuse", "guard"},
		"misspelt value":       {"guards.mode=deny", "guards"},
		"no such scope":        {"guard.defaultScopes={open id}", "defaultScopes"},
		"no such namespace":    {"watchNamespaces={Team_A}", "watchNamespaces"},
		"slash after registry": {"image.registry=registry.example.com/", "registry"},
		"text for a number":    {"replicas=two", "replicas"},
		"not a flag":           {"args={debug}", "args"},
	} {
		t.Run(title, func(t *testing.T) {
			_, err := setup.Tool(t.Context(), "helm", "template", "charts/scopegate", "--set", tc.value)
			expect.Error(t, err, "values don't meet the specifications of the schema", tc.want)
		})
	}
}

// podTemplates are the paths of the pod templates, by kind.
var podTemplates = map[string][]string{
	"Pod": {}, "Deployment": {"spec", "template"}, "DaemonSet": {"spec", "template"}, "StatefulSet": {"spec", "template"},
	"ReplicaSet": {"spec", "template"}, "Job": {"spec", "template"}, "CronJob": {"spec", "jobTemplate", "spec", "template"},
}

// TestPodSecurity checks that every installed pod meets the level restricted.
// internal/rollout checks that for the pods of standalone mode.
func TestPodSecurity(t *testing.T) {
	cleanup, err := setup.DecodeFile(filepath.Join(dist, "guard-cleanup.yaml"))
	expect.NoError(t, err)
	for title, objects := range map[string][]*unstructured.Unstructured{
		"cleanup":          cleanup,
		"guard":            objectsOfDist(t, "guard"),
		"standalone":       objectsOfDist(t, "standalone"),
		"guard chart":      chart(t),
		"standalone chart": chart(t, "--set", "mode=standalone"),
	} {
		t.Run(title, func(t *testing.T) {
			pods := 0
			for _, object := range objects {
				path, makesPods := podTemplates[object.GetKind()]
				if !makesPods {
					continue
				}
				pods++
				for _, why := range violations(t, object, path) {
					t.Errorf("%s: %s", name(object), why)
				}
			}
			if pods == 0 {
				t.Error("there are no pods")
			}
		})
	}
}

func violations(t *testing.T, object *unstructured.Unstructured, path []string) []string {
	t.Helper()
	content, _, err := unstructured.NestedMap(object.Object, path...)
	expect.NoError(t, err)
	template := &corev1.PodTemplateSpec{}
	expect.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(content, template))
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	expect.NoError(t, err)
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	var found []string
	for _, result := range evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec) {
		if !result.Allowed {
			found = append(found, result.ForbiddenReason+": "+result.ForbiddenDetail)
		}
	}
	return found
}
