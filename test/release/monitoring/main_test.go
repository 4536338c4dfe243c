// Package monitoring_test gives the alerts, the dashboard and the configuration of
// kube-state-metrics to the real Prometheus, promtool and kube-state-metrics.
// `make monitoring` builds them once and says where they are.
package monitoring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// assetsVariable names the folder of the binaries; hack/monitoring/build.sh
// prints it.
const assetsVariable = "SCOPEGATE_MONITORING"

// folder has the tested files.
const folder = "../../../config/monitoring"

func tool(t *testing.T, name string) string {
	t.Helper()
	assets := os.Getenv(assetsVariable)
	if assets == "" {
		t.Skipf("%s is not set: `make monitoring` builds Prometheus and sets it", assetsVariable)
	}
	return filepath.Join(assets, name)
}

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type group struct {
	Name  string `json:"name"`
	Rules []rule `json:"rules"`
}

// groups returns the groups of the PrometheusRule. They are also the content of a
// rule file of Prometheus, so there is no other copy of the alerts.
func groups(t *testing.T) []group {
	t.Helper()
	var manifest struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   any    `json:"metadata"`
		Spec       struct {
			Groups []group `json:"groups"`
		} `json:"spec"`
	}
	read(t, filepath.Join(folder, "prometheusrule.yaml"), &manifest)
	return manifest.Spec.Groups
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	expect.NoError(t, yaml.UnmarshalStrict([]byte(expect.ReadFile(t, path)), into))
}

func writeRules(t *testing.T, path string, groups []group) {
	t.Helper()
	text, err := yaml.Marshal(map[string]any{"groups": groups})
	expect.NoError(t, err)
	expect.NoError(t, os.WriteFile(path, text, 0o600))
}

func rendered(t *testing.T, path, kind string) []*unstructured.Unstructured {
	t.Helper()
	kubectl := filepath.Join(os.Getenv(controlplane.AssetsVariable), "kubectl")
	text, err := exec.CommandContext(t.Context(), kubectl, "kustomize", filepath.Join("../../../config", path)).Output() //nolint:gosec // The pinned binary.
	if err != nil {
		t.Fatalf("kubectl kustomize config/%s: %v", path, err)
	}
	objects, err := config.Decode(text)
	expect.NoError(t, err)
	return slices.DeleteFunc(objects, func(object *unstructured.Unstructured) bool { return object.GetKind() != kind })
}

// TestServiceMonitorFindsTheManagers checks that the ServiceMonitor selects the
// Service of each mode, and the Service its pods.
func TestServiceMonitorFindsTheManagers(t *testing.T) {
	monitors := rendered(t, "monitoring", "ServiceMonitor")
	if len(monitors) != 1 || len(rendered(t, "monitoring", "PrometheusRule")) != 1 {
		t.Fatalf("got %d ServiceMonitors, want one, and a PrometheusRule", len(monitors))
	}
	selected, _, err := unstructured.NestedStringMap(monitors[0].Object, "spec", "selector", "matchLabels")
	expect.NoError(t, err)
	endpoints, _, err := unstructured.NestedSlice(monitors[0].Object, "spec", "endpoints")
	if err != nil || len(endpoints) != 1 {
		t.Fatalf("%d endpoints: %v", len(endpoints), err)
	}
	for _, mode := range []string{"guard", "standalone"} {
		services := rendered(t, mode, "Service")
		if len(services) != 1 {
			t.Fatalf("%s has %d Services", mode, len(services))
		}
		service := &corev1.Service{}
		expect.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(services[0].Object, service))
		if !labels.SelectorFromSet(selected).Matches(labels.Set(service.Labels)) || service.Namespace != monitors[0].GetNamespace() {
			t.Errorf("the Service of %s is not selected: %v in %s", mode, service.Labels, service.Namespace)
		}
		pods, _, err := unstructured.NestedStringMap(rendered(t, mode, "Deployment")[0].Object, "spec", "template", "metadata", "labels")
		expect.NoError(t, err)
		if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pods)) {
			t.Errorf("the Service of %s selects %v, its pods have %v", mode, service.Spec.Selector, pods)
		}
		if port := endpoints[0].(map[string]any)["port"]; service.Spec.Ports[0].Name != port {
			t.Errorf("the port of %s is %s, scraped is %s", mode, service.Spec.Ports[0].Name, port)
		}
	}
}
