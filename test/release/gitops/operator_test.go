package gitops_test

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

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
