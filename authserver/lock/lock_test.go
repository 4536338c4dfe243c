// Package lock compares the lock's expressions, on the API server's evaluator,
// with ToolHive: over what its encoders write, and over what somebody may make of
// that by hand.
package lock

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

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/test/guard/lockeval"
)

// casesVariable gives -cases a default: `make lock-equivalence` sets it.
const casesVariable = "SCOPEGATE_LOCK_CASES"

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
	jsonKey = "runconfig.json"
	yamlKey = "authserver-config.yaml"
)

// artefact is a text as ToolHive's operator stores it.
type artefact struct{ key, text string }

func (a artefact) data() map[string]string { return map[string]string{a.key: a.text} }

// encode makes one as the operator does: mcpserver_runconfig.go,
// mcpremoteproxy_runconfig.go and virtualmcpserver_vmcpconfig.go.
func (r random) encode() (artefact, error) {
	if r.one(3) {
		text, err := yaml.Marshal(r.authServer())
		return artefact{yamlKey, string(text)}, err
	}
	config, err := r.runConfig()
	if err != nil {
		return artefact{}, err
	}
	text, err := json.MarshalIndent(config, "", "  ")
	return artefact{jsonKey, string(text)}, err
}

// decode reads one as the processes in pods do, and returns how many scopes of
// the baseline ToolHive refuses.
func decode(a artefact) (missing int, err error) {
	config := &authserver.RunConfig{}
	if a.key == yamlKey {
		if err := yaml.Unmarshal([]byte(a.text), config); err != nil {
			return 0, err
		}
	} else {
		whole := &runner.RunConfig{}
		if err := json.Unmarshal([]byte(a.text), whole); err != nil {
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

// tally counts outcomes of cases that run at the same time.
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

// parallel runs cases on all cores until it is enough, each with its own source
// of randomness.
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

func evaluator(t testing.TB) *lockeval.Evaluator {
	t.Helper()
	e, err := lockeval.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var denying = lockeval.Parameters(map[string]string{guard.ParameterMode: guard.ModeDeny})

// TestEncoded: for each text that ToolHive's encoders write the lock counts the
// missing scopes that ToolHive counts in the decoded text.
func TestEncoded(t *testing.T) {
	counts, start := &tally{}, time.Now()
	for _, difference := range compareEncoded(t, evaluator(t), *cases, 10, counts) {
		t.Error(difference)
	}
	t.Logf("%d random configs, %.1f s: %s", *cases, time.Since(start).Seconds(), counts)
	if *cases >= 1000 {
		for _, what := range []string{jsonKey + " readable missing 1", yamlKey + " readable missing 1", jsonKey + " none missing 0"} {
			if counts.of[what] < *cases/100 {
				t.Errorf("%s: only %d, which compares little", what, counts.of[what])
			}
		}
	}
}

// compareEncoded returns the differences over random configs, up to so many.
func compareEncoded(t *testing.T, e *lockeval.Evaluator, count, most int, counts *tally) []string {
	found := &differences{most: most}
	parallel(count, found.enough, func(r random, number int) {
		a, err := r.encode()
		if err != nil {
			counts.add("not encodable")
			return
		}
		want, err := decode(a)
		if err != nil {
			// What the encoder writes of some odd texts its decoder refuses, as the
			// process in the pod would.
			counts.add("not decodable")
			return
		}
		outcome, err := e.Evaluate(t.Context(), lockeval.ConfigMap(a.data()), denying, nil)
		counts.add(fmt.Sprintf("%s %s missing %d", a.key, outcome.State, min(want, 1)))
		if err != nil || outcome.State == lockeval.Unreadable || outcome.Missing != want || outcome.Admitted != (want == 0) {
			found.add(fmt.Sprintf("case %d (-seed %d): ToolHive misses %d scopes, the lock: %+v %v\n%s\n%q", number, *seed, want, outcome, err, a.text, a.text))
		}
	})
	return found.all
}

// differences of cases that run at the same time.
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
