package packaging_test

import (
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// podTemplates are where the kinds that make pods keep them.
var podTemplates = map[string][]string{
	"Pod": {}, "Deployment": {"spec", "template"}, "DaemonSet": {"spec", "template"}, "StatefulSet": {"spec", "template"},
	"ReplicaSet": {"spec", "template"}, "Job": {"spec", "template"}, "CronJob": {"spec", "jobTemplate", "spec", "template"},
}

// TestPodSecurity holds every pod that is installed to the level restricted.
// What standalone mode renders is held to it in internal/rollout.
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
