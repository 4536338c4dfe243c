package monitoring_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// emptyUnless is the start of the description of a panel that shows nothing
// when all is well.
const emptyUnless = "Empty unless "

type panel struct {
	Title       string `json:"title"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Targets     []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

// interval replaces Grafana's own variable by four scrapes, as Grafana does.
var interval = strings.NewReplacer("$__rate_interval", "16s")

// TestDashboard scrapes a working guard, the API server and kube-state-metrics,
// and runs every query of the dashboard.
func TestDashboard(t *testing.T) {
	prometheus := startEverything(t)
	var dashboard struct {
		Panels []panel `json:"panels"`
	}
	expect.NoError(t, yaml.Unmarshal([]byte(expect.ReadFile(t, filepath.Join(folder, "grafana/scopegate.json"))), &dashboard))
	// The values of what shows one.
	values := map[string]string{"Invalid": "2", "Held": "0", "Policies that are not effective": "0", "Leaders": "1"}
	queries := 0
	for _, panel := range dashboard.Panels {
		if panel.Type == "row" {
			continue
		}
		if panel.Description == "" || len(panel.Targets) == 0 {
			t.Errorf("panel %q has no description or no query", panel.Title)
		}
		for _, target := range panel.Targets {
			queries++
			t.Run(panel.Title, func(t *testing.T) {
				if panel.Type == "stat" {
					prometheus.awaitAnswers(t, "("+target.Expr+") == "+values[panel.Title], true)
				}
				answers := prometheus.awaitAnswers(t, target.Expr, !strings.HasPrefix(panel.Description, emptyUnless))
				if strings.HasPrefix(panel.Description, emptyUnless) && answers != 0 {
					t.Errorf("%d series, where all is well: %s", answers, target.Expr)
				}
			})
		}
	}
	if queries == 0 {
		t.Error("the dashboard has no queries")
	}
	t.Run("alerts", func(t *testing.T) { prometheus.checkAlerts(t) })
	t.Run("objects", func(t *testing.T) { checkObjects(t, prometheus) })
}

// checkObjects checks that kube-state-metrics serves the conditions of single
// objects.
func checkObjects(t *testing.T, prometheus *server) {
	t.Helper()
	for _, want := range []string{
		`scopegate_object_baseline_scopes_valid_timestamp_seconds{customresource_kind="MCPExternalAuthConfig", name="shared", status="False", reason="BaselineScopeNotSupported"}`,
		`scopegate_object_baseline_scopes_valid_timestamp_seconds{customresource_kind="MCPServer", name="bad", status="False", reason="BaselineScopeNotSupported"}`,
		`scopegate_object_baseline_scopes_valid_timestamp_seconds{customresource_kind="MCPServer", name="good", status="True"}`,
		`scopegate_object_baseline_scopes_valid_timestamp_seconds{customresource_kind="MCPRemoteProxy", name="later", status="Unknown", reason="ScopesNotResolved"}`,
		`scopegate_object_baseline_scopes_valid_timestamp_seconds{customresource_kind="VirtualMCPServer", name="own", status="True"}`,
		// The test plays ToolHive's operator.
		`scopegate_object_ready_timestamp_seconds{customresource_kind="MCPServer", name="good", status="True", reason="Ready"} > 1700000000`,
		`scopegate_object_stalled_timestamp_seconds{customresource_kind="MCPServer", name="good", status="False", reason="Ready"}`,
	} {
		prometheus.awaitAnswers(t, want, true)
	}
}

// checkAlerts checks that every alert of the PrometheusRule is loaded and
// evaluated, and that only those that the objects cause are pending.
func (s *server) checkAlerts(t *testing.T) {
	t.Helper()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct {
					Name, Health, LastError, State string
				}
			}
		}
	}
	pending, want := map[string]string{}, map[string]string{}
	for _, group := range groups(t) {
		for _, rule := range group.Rules {
			if rule.Alert != "" {
				want[rule.Alert] = "inactive"
			}
		}
	}
	want["ScopegateBaselineInvalid"], want["ScopegatePodsNotCreated"] = "pending", "pending"
	expect.Eventually(t, "the alerts have the expected states", func(ctx context.Context) (bool, error) {
		if err := s.get(ctx, "/api/v1/rules", &answer); err != nil {
			return false, err
		}
		clear(pending)
		for _, group := range answer.Data.Groups {
			for _, rule := range group.Rules {
				if rule.LastError != "" {
					return false, fmt.Errorf("%s: %s", rule.Name, rule.LastError)
				}
				if rule.Health == "ok" {
					pending[rule.Name] = rule.State
				}
			}
		}
		// A scrape that came late makes others pending for a moment.
		return cmp.Equal(pending, want), nil
	}, func() string { return cmp.Diff(want, pending) })
}
