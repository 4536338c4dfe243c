package runconfigs

import (
	"github.com/scopegate/scopegate/test/guard/evaluator"
	"testing"
)

// TestMutants breaks each variable: the comparison finds it. What no encoder writes is
// in test/guard/evaluator, with mutants of its own.
func TestMutants(t *testing.T) {
	for name, m := range map[string]struct{ variable, old, new string }{
		"another list of defaults":             {"defaults", "email", "mail"},
		"the old text is the new one":          {"objects", "[object, oldObject]", "[object, object]"},
		"a key planted deeper is the section":  {"sections", `\n  "embedded`, `"embedded`},
		"a section ends where it is deeper":    {"sections", `'\n  }', 2`, `'  }', 2`},
		"the keys are swapped":                 {"keys", "['baseline_client_scopes', 'scopes_supported']", "['scopes_supported', 'baseline_client_scopes']"},
		"a list never ends":                    {"jsonLists", `.split('\n    ]', 2)[0]`, ``},
		"a list ends at a bracket in a scope":  {"jsonLists", `'\n    ]', 2`, `']', 2`},
		"entries keep their comma":             {"jsonLists", `'"[^"]*"'`, `'"[^"]*",?'`},
		"lines of other keys are entries":      {"yamlLists", `.find('^(\n    - [^\n]*)+')`, ``},
		"no text is read whole":                {"whole", "variables.keys.all", "false && variables.keys.all"},
		"JSON with one scope is not read":      {"whole", `",?)+\n    `, `",?){2,}\n    `},
		"YAML with one scope is not read":      {"whole", `\\S*)+`, `\\S*){2,}`},
		"defaults are ignored":                 {"missing", "size(lists[1]) > 0 ?", "true ?"},
		"YAML is ignored":                      {"missing", "each[0] + each[1]", "each[0]"},
		"JSON is ignored":                      {"missing", "each[0] + each[1]", "each[1]"},
		"what is supported is what is missing": {"missing", "!(scope in", "(scope in"},
	} {
		t.Run(name, func(t *testing.T) {
			e := evaluator.Mutant(t, m.variable, m.old, m.new)
			const count = 5000
			if len(compare(t, e, count, 1, &tally{})) == 0 {
				t.Errorf("not found in %d cases", count)
			}
		})
	}
}
