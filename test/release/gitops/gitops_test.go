// Package gitops_test runs the health checks of config/gitops on every row of the
// tables of conditions, as Argo CD and Flux run them.
package gitops_test

import (
	"flag"
	"os"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

var update = flag.Bool("update", false, "write the files that follow from others anew")

const folder = "../../../config/gitops"

func read(t *testing.T, path string) []byte {
	t.Helper()
	return []byte(expect.ReadFile(t, path))
}

// golden compares a file with what it has to be, or writes it.
func golden(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		expect.NoError(t, os.WriteFile(path, want, 0o644)) //nolint:gosec // A file for everybody.
		return
	}
	if got := read(t, path); string(got) != string(want) {
		t.Errorf("%s is out of date: write it by go test ./test/release/gitops -update (in that module)\n--- have\n%s\n--- want\n%s", path, got, want)
	}
}

// TestPrometheusOperator decodes the manifests of config/monitoring by the types
// of the operator that reads them, and takes no field that it does not know.
func TestPrometheusOperator(t *testing.T) {
	rules, scrape := &monitoringv1.PrometheusRule{}, &monitoringv1.ServiceMonitor{}
	for path, object := range map[string]any{"prometheusrule.yaml": rules, "servicemonitor.yaml": scrape} {
		if err := yaml.UnmarshalStrict(read(t, "../../../config/monitoring/"+path), object); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if len(rules.Spec.Groups) != 1 || len(rules.Spec.Groups[0].Rules) == 0 {
		t.Errorf("got %+v, want one group of rules", rules.Spec)
	}
	if len(scrape.Spec.Endpoints) != 1 || scrape.Spec.Endpoints[0].Port != "metrics" {
		t.Errorf("got %+v, want one endpoint by the name of the port of the Services", scrape.Spec)
	}
}
