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

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// rendered returns the objects of a kind that a kustomization makes.
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

// TestServiceMonitorFindsTheManagers compares what is selected with the Services
// that each mode installs.
func TestServiceMonitorFindsTheManagers(t *testing.T) {
	monitors := rendered(t, "monitoring", "ServiceMonitor")
	if len(monitors) != 1 || len(rendered(t, "monitoring", "PrometheusRule")) != 1 {
		t.Fatalf("%d ServiceMonitors and not one, or no PrometheusRule", len(monitors))
	}
	selected, _, err := unstructured.NestedStringMap(monitors[0].Object, "spec", "selector", "matchLabels")
	expect.NoError(t, err)
	endpoints, _, err := unstructured.NestedSlice(monitors[0].Object, "spec", "endpoints")
	if err != nil || len(endpoints) != 1 {
		t.Fatalf("%d endpoints: %v", len(endpoints), err)
	}
	for _, mode := range []string{"guard", "default"} {
		services := rendered(t, mode, "Service")
		if len(services) != 1 {
			t.Fatalf("%s has %d Services", mode, len(services))
		}
		service := &corev1.Service{}
		expect.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(services[0].Object, service))
		if !labels.SelectorFromSet(selected).Matches(labels.Set(service.Labels)) || service.Namespace != monitors[0].GetNamespace() {
			t.Errorf("the Service of %s is not selected: %v in %s", mode, service.Labels, service.Namespace)
		}
		if port := endpoints[0].(map[string]any)["port"]; service.Spec.Ports[0].Name != port {
			t.Errorf("the port of %s is %s, scraped is %s", mode, service.Spec.Ports[0].Name, port)
		}
	}
}
