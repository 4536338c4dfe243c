package lock

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/scopegate/scopegate/test/guard/lockeval"
)

// TestMutants breaks the expressions, one at a time: each of the breaks shows in
// the comparisons.
func TestMutants(t *testing.T) {
	if *cases < 10_000 {
		t.Skip("it takes a minute: `make lock-equivalence` runs it")
	}
	for name, m := range map[string]struct {
		variable, old, new string
		byHand             bool
	}{
		"a key planted deeper is the section":     {"jsonParts", `\n  "embedded`, `"embedded`, false},
		"a section ends where it is deeper":       {"jsonSection", `'\n  }', 2`, `'  }', 2`, false},
		"a list ends where it is deeper":          {"jsonScopes", `'\n    ]', 2`, `']', 2`, false},
		"entries are taken with the comma":        {"jsonScopes", `',\n      '`, `'\n      '`, false},
		"defaults are ignored":                    {"jsonMissing", `size(variables.jsonScopes) > 0 ?`, `true ?`, false},
		"defaults in YAML are ignored":            {"yamlMissing", `size(variables.yamlScopes) > 0 ?`, `true ?`, false},
		"lines of a block are entries":            {"yamlBaseline", `\\|[1-9]?`, `!!!`, false},
		"a block ends at its first line":          {"yamlScopes", `(?:\\n(?: {5}`, `(?:\\n(?: {50}`, false},
		"nothing is missing":                      {"missing", "variables.jsonMissing + variables.yamlMissing", "variables.yamlMissing", false},
		"any layout passes for the encoder's":     {"jsonProven", "variables.jsonLines.startsWith", "true || variables.jsonLines.startsWith", true},
		"any spelling of a key passes":            {"jsonProven", `!variables.jsonLines.matches(r'\n  "[a-z0-9_]*`, `!variables.jsonLines.matches(r'\n   "[a-z0-9_]*`, true},
		"a spelling by escapes is not looked for": {"jsonFolded", "variables.json.matches", "false && variables.json.matches", true},
		"any spelling in the section passes":      {"jsonReadable", `"[a-z0-9_]*[^a-z0-9_"]`, `"[a-z0-9_]*[^a-zA-Z0-9_\\"ſK]`, true},
		"any YAML passes for the encoder's":       {"yamlProven", "variables.yamlTokens + ", "true || variables.yamlTokens + ", true},
		"keys in quotes pass":                     {"yamlProven", `!variables.yamlLines.matches`, `true || !variables.yamlLines.matches`, true},
		"a list in brackets passes":               {"yamlState", `!variables.yamlLines.contains('\nscopes_supported:')`, `true`, true},
		"another spelling of an entry is missing": {"yamlDoubtful", "size(variables.yamlMissing) > 0", "false", true},
		"a schema_version does not matter":        {"jsonReadable", `variables.jsonSection.startsWith`, `true || variables.jsonSection.startsWith`, true},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := lockeval.New(func(policy *admissionv1.ValidatingAdmissionPolicy) {
				for i := range policy.Spec.Variables {
					if v := &policy.Spec.Variables[i]; v.Name == m.variable {
						if !strings.Contains(v.Expression, m.old) {
							t.Fatalf("no %q in %s", m.old, v.Expression)
						}
						v.Expression = strings.ReplaceAll(v.Expression, m.old, m.new)
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			compare, count := compareEncoded, 3000
			if m.byHand {
				compare, count = compareByHand, 30000
			}
			if len(compare(t, e, count, 1, &tally{})) == 0 {
				t.Errorf("not seen in %d cases", count)
			}
		})
	}
}
