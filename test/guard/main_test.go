// Package guard_test compares the guard's policies with internal/resolve, on a
// real API server. The CRDs are like ToolHive's: they have neither
// scopesSupported nor scopegate's rules on the baseline, so only a policy can
// reject.
package guard_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) {
	testenv.RunMain(m, func(ctx context.Context, atEnd func(func() error)) error {
		setup.DiscardLogs()
		crds, err := setup.LikeToolHive()
		if err != nil {
			return err
		}
		if cluster, err = testenv.Start(ctx, controlplane.Options{CRDs: crds}); err != nil {
			return err
		}
		atEnd(cluster.Stop)
		if err := setup.Install(ctx, cluster.Client); err != nil {
			return err
		}
		return setup.Settle(ctx, cluster.Client)
	})
}

// namespace makes a namespace in a mode, and returns when the mode applies.
func namespace(t *testing.T, mode string) string {
	t.Helper()
	name, err := setup.Namespace(t.Context(), cluster.Client, mode)
	expect.NoError(t, err)
	settle(t)
	return name
}

func settle(t *testing.T) {
	t.Helper()
	expect.NoError(t, setup.Settle(t.Context(), cluster.Client))
}

func store(t *testing.T, namespace, mode string, objects ...client.Object) {
	t.Helper()
	expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, namespace, "off"))
	settle(t)
	cluster.Create(t, objects...)
	expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, namespace, mode))
	settle(t)
}

func TestCorpus(t *testing.T) { setup.CheckCorpus(t, cluster, "../testdata") }

func TestTypes(t *testing.T) { setup.CheckTypes(t, cluster) }

// TestLargest gives the policies lists that are about as long as an object can hold,
// because ToolHive's CRDs do not bound them. The evaluation must not exceed the cost
// limit.
func TestLargest(t *testing.T) {
	ns := namespace(t, guard.ModeDeny)
	advertised, baseline := testenv.Many("advertised", 60_000), testenv.Many("baseline", 10)
	store(t, ns, guard.ModeDeny, testenv.Config(ns, "large", baseline...))
	for name, tc := range map[string]struct {
		object client.Object
		policy string
	}{
		"consumer": {testenv.Server(ns, "large", testenv.AuthServerRef("large", advertised...)), "scopegate-consumers"},
		"virtual":  {testenv.Virtual(ns, "large", testenv.AuthServer(baseline...), advertised...), "scopegate-virtualmcpservers"},
	} {
		t.Run(name, func(t *testing.T) {
			refusal := refusalOf(t, dryCreate(t, tc.object))
			if want := fmt.Sprintf("scope %q (and 9 more) ", baseline[0]); refusal.Policy != tc.policy || !strings.HasPrefix(refusal.Message, want) {
				t.Errorf("got %+v, want %s to say %s", refusal, tc.policy, want)
			}
		})
	}
}

// casesVariable gives -cases a default: `make prove SUITE=policies` sets it.
const casesVariable = "SCOPEGATE_GUARD_CASES"

var (
	cases = flag.Int("cases", defaultCases(), "how many random namespaces to compare (default of the variable "+casesVariable+")")
	seed  = flag.Uint64("seed", 1, "of the random namespaces")
)

func defaultCases() int {
	if n, err := strconv.Atoi(os.Getenv(casesVariable)); err == nil {
		return n
	}
	return 300
}

func TestEquivalence(t *testing.T) { setup.CheckRandom(t, cluster, *cases, *seed) }
