package monitoring_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

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

// TestRunbooks checks that each alert links to its runbook, and that there is no other.
func TestRunbooks(t *testing.T) {
	const root = "../../../"
	var want []string
	for _, g := range groups(t) {
		for _, r := range g.Rules {
			page := "docs/runbooks/" + r.Alert + ".md"
			want = append(want, root+page)
			expect.Equal(t, "runbook_url of "+r.Alert, "https://github.com/scopegate/scopegate/blob/main/"+page, r.Annotations["runbook_url"])
			expect.Contains(t, "\n"+expect.ReadFile(t, root+page), "\n# "+r.Alert+"\n", "\n## What it means\n", "\n## What to do\n")
		}
	}
	pages, err := filepath.Glob(root + "docs/runbooks/*.md")
	expect.NoError(t, err)
	slices.Sort(want)
	expect.Equal(t, "runbooks", want, pages)
}
