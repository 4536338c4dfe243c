// Package gitops_test runs the health checks of config/gitops on every row of the
// tables of conditions, as Argo CD and Flux run them.
package gitops_test

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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

// wrong returns the names of the rows that the checks evaluate wrong.
func wrong(t *testing.T, checks map[string]kustomize.CustomHealthCheck) []string {
	t.Helper()
	var names []string
	for _, row := range fixtures.All() {
		check, ok := checks[row.Object.GetKind()]
		if !ok {
			continue
		}
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		if err != nil {
			t.Fatalf("%s: %v", row.Object.GetKind(), err)
		}
		result, err := evaluator.Evaluate(t.Context(), row.Object)
		if err != nil || result.Status != kstatus[row.Health] {
			names = append(names, row.Name)
			t.Logf("%s: got %+v (%v), want %s", row.Name, result, err, kstatus[row.Health])
		}
	}
	return names
}

// TestFlux evaluates every row. Then it breaks each part of the expressions,
// and checks that some row notices.
func TestFlux(t *testing.T) {
	checks := checks(t)
	if len(checks) != 4 {
		t.Fatalf("%d kinds have expressions, want 4", len(checks))
	}
	if names := wrong(t, checks); len(names) != 0 {
		t.Fatalf("%d rows are evaluated wrong: %s", len(names), strings.Join(names, "; "))
	}
	for kind, check := range checks {
		for _, part := range []string{"'BaselineScopesValid'", "'Stalled'", "'Failed'", "'Ready'", "'Valid'", "'Stopped'", "metadata.generation", "has(status.observedGeneration)"} {
			mutant := check
			mutant.Failed = strings.ReplaceAll(check.Failed, part, mutation(part))
			mutant.Current = strings.ReplaceAll(check.Current, part, mutation(part))
			if mutant == check {
				continue
			}
			t.Run(kind+" without "+part, func(t *testing.T) {
				if names := wrong(t, map[string]kustomize.CustomHealthCheck{kind: mutant}); len(names) == 0 {
					t.Error("every row is still evaluated right")
				}
			})
		}
	}
}

func mutation(part string) string {
	if strings.HasPrefix(part, "'") {
		return "'nothing'"
	}
	if part == "metadata.generation" {
		return "(metadata.generation - 1)"
	}
	return "false"
}

// TestFluxWithoutStatus evaluates an object without a status.
func TestFluxWithoutStatus(t *testing.T) {
	for kind, check := range checks(t) {
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		expect.NoError(t, err)
		object := &unstructured.Unstructured{Object: map[string]any{"kind": kind, "metadata": map[string]any{"generation": int64(1)}}}
		result, err := evaluator.Evaluate(t.Context(), object)
		// Flux goes on waiting after an error.
		if err == nil && result.Status != status.InProgressStatus {
			t.Errorf("%s: got %+v", kind, result)
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
