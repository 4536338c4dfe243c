package monitoring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// alertTests is the part of promtool's test files that is read here.
type alertTests struct {
	Tests []struct {
		Rules []struct {
			Alert    string `json:"alertname"`
			Expected []any  `json:"exp_alerts"`
		} `json:"alert_rule_test"`
	} `json:"tests"`
}

// promtool tests one alert, as testdata/alerts has it, against rules.
func promtool(t *testing.T, alert string, groups []group) (string, error) {
	t.Helper()
	work := t.TempDir()
	expect.WriteFile(t, filepath.Join(work, "tests.yaml"), expect.ReadFile(t, filepath.Join("testdata/alerts", alert+".yaml")))
	writeRules(t, filepath.Join(work, "rules.yaml"), groups)
	output, err := exec.CommandContext(t.Context(), tool(t, "promtool"), "test", "rules", filepath.Join(work, "tests.yaml")).CombinedOutput() //nolint:gosec // The pinned binary.
	return string(output), err
}

func with(original []group, alert string, change func(*rule)) []group {
	var changed []group
	for _, g := range original {
		rules := append([]rule{}, g.Rules...)
		for i := range rules {
			if rules[i].Alert == alert {
				change(&rules[i])
			}
		}
		changed = append(changed, group{Name: g.Name, Rules: rules})
	}
	return changed
}

// TestAlerts runs the tests of each alert. Then it checks that they fail for an
// alert that never fires, one that always fires, one that does not wait, and
// one without annotations.
func TestAlerts(t *testing.T) {
	groups := groups(t)
	work := filepath.Join(t.TempDir(), "rules.yaml")
	writeRules(t, work, groups)
	expect.Output(t, exec.CommandContext(t.Context(), tool(t, "promtool"), "check", "rules", "--lint=all", "--lint-fatal", work)) //nolint:gosec // The pinned binary.
	mutants := map[string]func(*rule){
		"never": func(r *rule) { r.Expr = "(" + r.Expr + ") unless on() vector(0)" },
		"always": func(r *rule) {
			r.Expr = strings.NewReplacer("> 0", ">= 0", "== 0", ">= 0", "> 60", "> 0", "> 120", "> 0").Replace(r.Expr)
		},
		"at once":  func(r *rule) { r.For = "" },
		"unlinked": func(r *rule) { r.Annotations = nil },
	}
	for _, g := range groups {
		for _, r := range g.Rules {
			t.Run(r.Alert, func(t *testing.T) {
				if output, err := promtool(t, r.Alert, groups); err != nil {
					t.Fatalf("promtool test rules: %v\n%s", err, output)
				}
				firesAndNot(t, r.Alert)
				for name, mutate := range mutants {
					mutated := with(groups, r.Alert, mutate)
					if name == "at once" && r.For == "" || name == "always" && strings.HasPrefix(r.Expr, "absent") {
						continue
					}
					if output, err := promtool(t, r.Alert, mutated); err == nil {
						t.Errorf("the tests pass with an alert that is changed (%s):\n%s", name, output)
					}
				}
			})
		}
	}
}

// firesAndNot fails unless an alert is expected once, and expected not to be once.
func firesAndNot(t *testing.T, alert string) {
	t.Helper()
	text := alertTests{}
	readLoosely(t, filepath.Join("testdata/alerts", alert+".yaml"), &text)
	fires, silent := false, false
	for _, test := range text.Tests {
		expected := 0
		for _, check := range test.Rules {
			if check.Alert != alert {
				t.Errorf("it tests %s", check.Alert)
			}
			expected += len(check.Expected)
		}
		fires = fires || expected > 0
		silent = silent || expected == 0
	}
	if !fires || !silent {
		t.Errorf("in some test it fires: %t; in some it never does: %t", fires, silent)
	}
}

func TestRunbooks(t *testing.T) {
	const base = "https://github.com/scopegate/scopegate/blob/main/"
	pages, err := filepath.Glob("../../../docs/runbooks/*.md")
	expect.NoError(t, err)
	orphans := map[string]bool{}
	for _, page := range pages {
		orphans[filepath.Base(page)] = true
	}
	for _, g := range groups(t) {
		for _, r := range g.Rules {
			page, ok := strings.CutPrefix(r.Annotations["runbook_url"], base)
			if want := "docs/runbooks/" + r.Alert + ".md"; !ok || page != want {
				t.Errorf("runbook_url of %s is %q, want %s%s", r.Alert, r.Annotations["runbook_url"], base, want)
			}
			text, err := os.ReadFile(filepath.Join("../../..", page)) //nolint:gosec // A file of this repository.
			if err != nil {
				t.Errorf("the runbook of %s: %v", r.Alert, err)
			}
			for _, heading := range []string{"# " + r.Alert, "## What it means", "## What to do"} {
				if !strings.Contains("\n"+string(text), "\n"+heading+"\n") {
					t.Errorf("%s has no line %q", page, heading)
				}
			}
			delete(orphans, r.Alert+".md")
		}
	}
	for page := range orphans {
		t.Errorf("docs/runbooks/%s is of no alert", page)
	}
}
