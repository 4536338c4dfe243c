// Package monitoring_test gives the alerts, the dashboard and the configuration of
// kube-state-metrics to the real Prometheus, promtool and kube-state-metrics.
// `make monitoring` builds them once and says where they are.
package monitoring_test

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// assetsVariable names the folder of the binaries; tools/monitoring/build.sh
// prints it.
const assetsVariable = "SCOPEGATE_MONITORING"

// folder holds what is tested.
const folder = "../../../config/monitoring"

// tool returns the path of a binary.
func tool(t *testing.T, name string) string {
	t.Helper()
	assets := os.Getenv(assetsVariable)
	if assets == "" {
		t.Skipf("%s is not set: `make monitoring` builds Prometheus and sets it", assetsVariable)
	}
	return filepath.Join(assets, name)
}

// rule is an alert of the PrometheusRule.
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

// groups returns what the PrometheusRule holds, which is also what a rule file of
// Prometheus does: there is no other copy of the alerts.
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

// read decodes a file and refuses fields that it does not expect.
func read(t *testing.T, path string, into any) {
	t.Helper()
	expect.NoError(t, yaml.UnmarshalStrict([]byte(expect.ReadFile(t, path)), into))
}

// readLoosely decodes a part of a file.
func readLoosely(t *testing.T, path string, into any) {
	t.Helper()
	expect.NoError(t, yaml.Unmarshal([]byte(expect.ReadFile(t, path)), into))
}

// writeRules writes a rule file.
func writeRules(t *testing.T, path string, groups []group) {
	t.Helper()
	text, err := yaml.Marshal(map[string]any{"groups": groups})
	expect.NoError(t, err)
	expect.NoError(t, os.WriteFile(path, text, 0o600))
}
