package packaging_test

import (
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// TestChartLints runs Helm's own checks in both modes.
func TestChartLints(t *testing.T) {
	for _, mode := range []string{"guard", "standalone"} {
		if _, err := setup.Tool(t.Context(), "helm", "lint", "--strict", "--set", "mode="+mode, "charts/scopegate"); err != nil {
			t.Error(err)
		}
	}
}

// TestChartRefusesValues holds that a wrong value is named before anything is
// installed.
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
