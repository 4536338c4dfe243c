// Package runconfigs compares the policies on run configs with ToolHive's decoders, on
// texts that ToolHive's encoders write. The policies run on the API server's evaluator.
package runconfigs

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stacklok/toolhive/pkg/authserver"
	"github.com/stacklok/toolhive/pkg/authserver/server/registration"
	"github.com/stacklok/toolhive/pkg/runner"
	"gopkg.in/yaml.v3"

	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/evaluator"
)

// casesVariable gives -cases a default: `make prove SUITE=runconfigs` sets it.
const casesVariable = "SCOPEGATE_RUNCONFIG_CASES"

var (
	cases = flag.Int("cases", defaultCases(), "how many random configs to compare (default of the variable "+casesVariable+")")
	seed  = flag.Uint64("seed", 1, "of the random configs")
)

func defaultCases() int {
	if n, err := strconv.Atoi(os.Getenv(casesVariable)); err == nil {
		return n
	}
	return 1500
}

const (
	jsonKey = toolhive.RunConfigKey
	yamlKey = toolhive.AuthServerConfigKey
)

// file is a text as ToolHive's operator stores it, with its key.
type file struct{ key, text string }

func (f file) data() map[string]string { return map[string]string{f.key: f.text} }

// encode encodes a random file as the operator does: see
// mcpserver_runconfig.go, mcpremoteproxy_runconfig.go and
// virtualmcpserver_vmcpconfig.go.
func (r random) encode() (file, error) {
	if r.one(3) {
		text, err := yaml.Marshal(r.authServer())
		return file{yamlKey, string(text)}, err
	}
	config, err := r.runConfig()
	if err != nil {
		return file{}, err
	}
	text, err := json.MarshalIndent(config, "", "  ")
	return file{jsonKey, string(text)}, err
}

// decode decodes a file as the processes in pods do, and returns how many
// scopes of its baseline ToolHive rejects.
func decode(f file) (missing int64, err error) {
	config := &authserver.RunConfig{}
	if f.key == yamlKey {
		if err := yaml.Unmarshal([]byte(f.text), config); err != nil {
			return 0, err
		}
	} else {
		whole := &runner.RunConfig{}
		if err := json.Unmarshal([]byte(f.text), whole); err != nil {
			return 0, err
		}
		if config = whole.EmbeddedAuthServerConfig; config == nil {
			return 0, nil
		}
	}
	effective := config.ScopesSupported
	if len(effective) == 0 {
		effective = registration.DefaultScopes
	}
	for _, scope := range config.BaselineClientScopes {
		if registration.ValidateScopeSubset([]string{scope}, effective, "") != nil {
			missing++
		}
	}
	return missing, nil
}

type tally struct {
	mu sync.Mutex
	of map[string]int
}

func (c *tally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[what]++
}

func (c *tally) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.of)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, c.of[name]))
	}
	return strings.Join(parts, ", ")
}

// parallel runs up to count cases on all cores, until enough returns true. Each
// case has its own source of randomness.
func parallel(count int, enough func() bool, do func(r random, number int)) {
	var group sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		group.Go(func() {
			for i := worker; i < count && !enough(); i += workers {
				do(random{rand.New(rand.NewPCG(*seed, uint64(i)))}, i) //nolint:gosec // Repeatable on purpose.
			}
		})
	}
	group.Wait()
}

// TestEncoded compares, for texts that ToolHive's encoders write, the missing scopes
// that the policy counts with those that ToolHive counts in the decoded text.
func TestEncoded(t *testing.T) {
	counts, start := &tally{}, time.Now()
	for _, difference := range compare(t, evaluator.New(t, nil), *cases, 10, counts) {
		t.Error(difference)
	}
	t.Logf("%d random configs, %.1f s: %s", *cases, time.Since(start).Seconds(), counts)
	if *cases >= 1000 {
		for _, what := range []string{jsonKey + " missing 0", jsonKey + " missing 1", yamlKey + " missing 0", yamlKey + " missing 1", "held", "not held"} {
			if counts.of[what] < *cases/100 {
				t.Errorf("%s: only %d, too few for a comparison", what, counts.of[what])
			}
		}
	}
}

// compare returns the differences over random configs, up to most. It evaluates each
// config as a creation and as an update of another one. internal/toolhive must agree
// on whether scopes are missing, and that the policies read the layout.
func compare(t *testing.T, e *evaluator.Evaluator, count, most int, counts *tally) []string {
	found := &differences{most: most}
	parallel(count, found.enough, func(r random, number int) {
		old, oldMissing, ok := r.decodable(counts)
		if !ok {
			return
		}
		f, missing, ok := r.decodable(counts)
		if !ok {
			return
		}
		differs := func(what string, outcome any, err error) {
			found.add(fmt.Sprintf("case %d (-seed %d): %s: %+v, %v; ToolHive misses %d scopes in the new text and %d in the old\n%s\n%q\n%q",
				number, *seed, what, outcome, err, missing, oldMissing, f.text, f.text, old.text))
		}
		created, err := e.Evaluate(t.Context(), evaluator.ConfigMap(f.data()), nil)
		counts.add(fmt.Sprintf("%s missing %d", f.key, min(missing, 1)))
		if err != nil || created.Admitted != (missing == 0) {
			differs("created", created, err)
		}
		updated, err := e.Evaluate(t.Context(), evaluator.ConfigMap(f.data()), evaluator.ConfigMap(old.data()))
		if err != nil || !slices.Equal(updated.Missing, []int64{missing, oldMissing}) || updated.Held() != (missing > 0 && oldMissing == 0) {
			differs("updated", updated, err)
		}
		counts.add(map[bool]string{true: "held", false: "not held"}[updated.Held()])
		servers, err := toolhive.AuthServers(f.data(), registration.DefaultScopes)
		for _, server := range servers {
			if err != nil || !server.InLayout || int64(len(server.Missing)) > missing || (len(server.Missing) > 0) != (missing > 0) {
				differs("decoded", servers, err)
			}
		}
	})
	return found.all
}

// decodable returns a random file that ToolHive can decode, and how many scopes are
// missing in it. ToolHive's decoder rejects some odd texts that its encoder has
// written, as the process in the pod would.
func (r random) decodable(counts *tally) (file, int64, bool) {
	f, err := r.encode()
	if err != nil {
		counts.add("not encodable")
		return f, 0, false
	}
	missing, err := decode(f)
	if err != nil {
		counts.add("not decodable")
	}
	return f, missing, err == nil
}

type differences struct {
	mu   sync.Mutex
	all  []string
	most int
}

func (d *differences) enough() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.all) >= d.most
}

func (d *differences) add(difference string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, difference)
}

// TestMutants breaks each variable of the policy. The comparison must find each
// mutant. test/guard/evaluator covers texts that no encoder writes, with its own
// mutants.
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
