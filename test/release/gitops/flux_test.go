// Package gitops_test runs the health checks of config/gitops on every row of the
// tables of conditions, as Argo CD and Flux run them.
package gitops_test

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/fixtures"
)

var kstatus = map[fixtures.Health]status.Status{
	fixtures.Healthy: status.CurrentStatus, fixtures.Suspended: status.CurrentStatus,
	fixtures.Progressing: status.InProgressStatus, fixtures.Degraded: status.FailedStatus,
}

func checks(t *testing.T) map[string]kustomize.CustomHealthCheck {
	t.Helper()
	var manifest struct {
		Spec struct {
			Checks []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	expect.NoError(t, yaml.Unmarshal(read(t, filepath.Join(folder, "flux/kustomization-example.yaml")), &manifest))
	byKind := map[string]kustomize.CustomHealthCheck{}
	for _, check := range manifest.Spec.Checks {
		if check.APIVersion != "toolhive.stacklok.dev/v1beta1" {
			t.Errorf("%s: apiVersion %s", check.Kind, check.APIVersion)
		}
		byKind[check.Kind] = check
	}
	return byKind
}

// TestFlux evaluates every row.
func TestFlux(t *testing.T) {
	checks := checks(t)
	if len(checks) != 4 {
		t.Fatalf("%d kinds have expressions, want 4", len(checks))
	}
	for _, row := range fixtures.All() {
		check, ok := checks[row.Object.GetKind()]
		if !ok {
			continue
		}
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		expect.NoError(t, err)
		result, err := evaluator.Evaluate(t.Context(), row.Object)
		if err != nil || result.Status != kstatus[row.Health] {
			t.Errorf("%s: got %+v (%v), want %s", row.Name, result, err, kstatus[row.Health])
		}
	}
}

var update = flag.Bool("update", false, "write the files that follow from others anew")

const folder = "../../../config/gitops"

func read(t *testing.T, path string) []byte {
	t.Helper()
	return []byte(expect.ReadFile(t, path))
}

// TestPrometheusOperator decodes the manifests of config/monitoring with the
// types of the operator that reads them. It rejects unknown fields.
func TestPrometheusOperator(t *testing.T) {
	for path, object := range map[string]any{"prometheusrule.yaml": &monitoringv1.PrometheusRule{}, "servicemonitor.yaml": &monitoringv1.ServiceMonitor{}} {
		if err := yaml.UnmarshalStrict(read(t, "../../../config/monitoring/"+path), object); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
