package guard_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

var long = flag.Bool("long", false, "measure the latency of edits, and wait for what takes long")

// measuredEdits is how many edits of each sort are timed, after warmUpEdits.
const (
	measuredEdits = 100
	warmUpEdits   = 5
)

// TestLatency prints how long the edit of a config takes that many MCPServers
// reference, in a namespace where the policies deny and in one where they are
// off. The edits alternate, so that whatever else the machine does falls on both.
func TestLatency(t *testing.T) {
	if !*long {
		t.Skip("only with -long")
	}
	fmt.Println("| consumers | off, median | p99 | deny, median | p99 | ratio of the medians |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	for _, consumers := range []int{1, 100, 1000} {
		configs := map[string]*v1beta1.MCPExternalAuthConfig{}
		for _, mode := range []string{guard.ModeOff, guard.ModeDeny} {
			configs[mode] = storeConsumers(t, mode, consumers)
		}
		settle(t)
		took := map[string][]time.Duration{}
		for i := range warmUpEdits + measuredEdits {
			for mode, config := range configs {
				baselines := [][]string{{"openid"}, {"openid", "email"}}
				config.Spec.EmbeddedAuthServer.BaselineClientScopes = baselines[i%len(baselines)]
				start := time.Now()
				if err := cluster.Client.Update(t.Context(), config); err != nil {
					t.Fatal(err)
				}
				if i >= warmUpEdits {
					took[mode] = append(took[mode], time.Since(start))
				}
			}
		}
		off, deny := took[guard.ModeOff], took[guard.ModeDeny]
		slices.Sort(off)
		slices.Sort(deny)
		fmt.Printf("| %d | %s | %s | %s | %s | %.1f |\n", consumers, percentile(off, 50), percentile(off, 99), percentile(deny, 50), percentile(deny, 99),
			float64(deny[len(deny)/2])/float64(off[len(off)/2]))
	}
}

func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100].Round(100 * time.Microsecond)
}

// storeConsumers returns a config that as many MCPServers reference.
func storeConsumers(t *testing.T, mode string, consumers int) *v1beta1.MCPExternalAuthConfig {
	t.Helper()
	ns, err := setup.Namespace(t.Context(), cluster.Client, mode)
	if err != nil {
		t.Fatal(err)
	}
	names := testenv.Many("server", consumers)
	setup.InParallel(consumers, func(i int) {
		if err := cluster.Client.Create(t.Context(), testenv.Server(ns, names[i], testenv.AuthServerRef("shared", "openid", "email"))); err != nil {
			t.Error(err)
		}
	})
	config := testenv.Config(ns, "shared", "openid")
	if err := cluster.Client.Create(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return config
}
