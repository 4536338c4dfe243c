package packaging_test

import (
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// TestChartSaysTheSame compares the objects of the chart with those of the manifests,
// labels included. Helm adds two of its own. A release knows the digests of its images.
func TestChartSaysTheSame(t *testing.T) {
	const clone, local = "charts/scopegate", "image: {tag: latest}\n"
	folder, manager, authServer := t.TempDir(), "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	released, digests := filepath.Join(folder, "chart"), filepath.Join(folder, "images.txt")
	expect.WriteFile(t, digests, "manager.tar "+manager+"\nauthserver.tar "+authServer+"\n")
	expect.NoError(t, errors.Join(setup.Dist(t.Context(), folder, "DIGESTS="+digests), setup.Chart(t.Context(), released, "DIGESTS="+digests)))
	expect.Contains(t, expect.ReadFile(t, filepath.Join(folder, "standalone.yaml")), "/scopegate-manager:v1.2.3@"+manager, "/scopegate-authserver:v1.2.3@"+authServer)
	// Somebody packages the chart again, under a version of their own.
	about := filepath.Join(released, "Chart.yaml")
	expect.WriteFile(t, about, strings.Replace(expect.ReadFile(t, about), "\nversion: 1.2.3\n", "\nversion: 1.2.3+internal.1\n", 1))
	guard := decodeFile(t, folder, "guard")
	for title, tc := range map[string]struct {
		want          []*unstructured.Unstructured
		chart, values string
	}{
		"a release":     {guard, released, ""},
		"with start-up": {append(decodeFile(t, folder, "guard-start-up"), guard...), released, "guard: {startUp: true}"},
		"a clone":       {kustomize(t, "config/examples/guard-start-up"), clone, local + "guard: {startUp: true}"},
		"another mode":  {kustomize(t, "config/examples/guard-enforce"), clone, local + "guard: {mode: enforce}"},
		"other scopes":  {kustomize(t, "config/examples/guard-default-scopes"), clone, local + "guard: {defaultScopes: [openid, profile, groups]}"},
		"in namespaces": {kustomize(t, "config/examples/namespaced-guard"), clone, local + "watchNamespaces: [team-a, team-b]"},
	} {
		t.Run(title, func(t *testing.T) {
			want, got := byName(t, tc.want), byName(t, chart(t, tc.chart, tc.values))
			// Helm makes the namespace itself, or is given one.
			delete(want, "v1 Namespace  scopegate-system")
			for name, object := range got {
				labels := object["metadata"].(map[string]any)["labels"].(map[string]any)
				packaged := labels["helm.sh/chart"].(string)
				if labels["app.kubernetes.io/managed-by"] != "Helm" || !strings.HasPrefix(packaged, "scopegate-") || len(validation.IsValidLabelValue(packaged)) > 0 {
					t.Errorf("%s has the labels %v", name, labels)
				}
				delete(labels, "app.kubernetes.io/managed-by")
				delete(labels, "helm.sh/chart")
			}
			expect.Equal(t, "the chart differs", want, got)
		})
	}
}

// TestChartVersion checks the version of a chart, and that one without policies is an error.
func TestChartVersion(t *testing.T) {
	for release, want := range map[string]string{"v1.2.3": "1.2.3", "v1.2.3-rc.1": "1.2.3-rc.1", "a45bc68": "0.0.0-a45bc68"} {
		folder := filepath.Join(t.TempDir(), "chart")
		expect.NoError(t, setup.Chart(t.Context(), folder, "VERSION="+release))
		expect.Contains(t, expect.ReadFile(t, filepath.Join(folder, "Chart.yaml")), "\nversion: "+want+"\n", "\nappVersion: \""+release+"\"\n")
		expect.NoError(t, os.RemoveAll(filepath.Join(folder, "files", "policies")))
		expect.Contains(t, render(t, folder, "scopegate-system", "").Error, "the chart has no files/{policies}/")
	}
}

func byName(t *testing.T, objects []*unstructured.Unstructured) map[string]map[string]any {
	t.Helper()
	named := map[string]map[string]any{}
	for _, object := range objects {
		if named[name(object)] != nil {
			t.Errorf("twice: %s", name(object))
		}
		named[name(object)] = object.Object
	}
	return named
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

// TestChartLints runs Helm's own checks, also of the version of Kubernetes, to which
// vendors add something.
func TestChartLints(t *testing.T) {
	_, err := setup.Tool(t.Context(), "helm", "lint", "--strict", "charts/scopegate")
	expect.NoError(t, err)
	for version, want := range map[string]string{"v1.30.0": "", "v1.31.2-gke.1": "", "v1.29.9": "incompatible with Kubernetes v1.29.9"} {
		_, err := setup.Tool(t.Context(), "helm", "template", "charts/scopegate", "--kube-version", version)
		if want == "" {
			expect.NoError(t, err)
		} else {
			expect.Error(t, err, want)
		}
	}
}

// TestInstalled compares every object that is installed with a file, which a reviewer reads: a
// role with its rights. It leaves out what other suites can't do without: most of a CRD, and of
// a policy the variables, the expressions and the bindings.
func TestInstalled(t *testing.T) {
	installed := map[string]string{}
	add := func(files ...[]*unstructured.Unstructured) {
		byName := map[string]string{}
		for _, object := range slices.Concat(files...) {
			versions, _, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "versions")
			ofCRD, _ := versions.([]any)
			for _, version := range ofCRD {
				for _, field := range []string{"schema", "served", "storage", "subresources"} {
					delete(version.(map[string]any), field)
				}
			}
			if object.GetKind() == "ValidatingAdmissionPolicy" {
				withoutExpressions(object.Object)
			}
			if object.GetKind() != "ValidatingAdmissionPolicyBinding" {
				text, err := yaml.Marshal(object.Object)
				expect.NoError(t, err)
				byName[name(object)] = string(text)
			}
		}
		for name, text := range byName {
			installed[name+"\n"+text] = text
		}
	}
	// Objects of the guard have namesakes in standalone mode.
	add(kustomize(t, "config/examples/namespaced-guard"), kustomize(t, "config/monitoring"),
		decodeFile(t, dist, "guard"), decodeFile(t, dist, "guard-start-up"), decodeFile(t, dist, "guard-cleanup"))
	add(kustomize(t, "config/examples/namespaced"), decodeFile(t, dist, "standalone"))
	add(decodeFile(t, dist, "guard-policies"))
	var list strings.Builder
	for _, name := range slices.Sorted(maps.Keys(installed)) {
		list.WriteString("---\n" + installed[name])
	}
	expect.Golden(t, *update, "testdata/installed.yaml", list.String())
}

// withoutExpressions deletes what test/guard evaluates.
func withoutExpressions(value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, child := range value {
			if key == "variables" || strings.HasSuffix(strings.ToLower(key), "expression") {
				delete(value, key)
			}
			withoutExpressions(child)
		}
	case []any:
		for _, child := range value {
			withoutExpressions(child)
		}
	}
}

// TestPodSecurity checks that every installed pod meets the level restricted. The chart
// installs the same one. internal/rollout checks the pods of standalone mode.
func TestPodSecurity(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	expect.NoError(t, err)
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, file := range []string{"guard-cleanup", "guard", "standalone"} {
		pods := 0
		for _, object := range decodeFile(t, dist, file) {
			content, makesPods, err := unstructured.NestedMap(object.Object, "spec", "template")
			expect.NoError(t, err)
			if !makesPods {
				continue
			}
			pods++
			template := &corev1.PodTemplateSpec{}
			expect.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(content, template))
			for _, result := range evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec) {
				if !result.Allowed {
					t.Errorf("%s: %s: %s: %s", file, name(object), result.ForbiddenReason, result.ForbiddenDetail)
				}
			}
		}
		if pods == 0 {
			t.Errorf("%s: there are no pods", file)
		}
	}
}
