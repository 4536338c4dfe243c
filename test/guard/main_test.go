// Package guard_test compares the guard's policies with internal/resolve, on a
// real API server. The CRDs are like ToolHive's: they have neither
// scopesSupported nor scopegate's rules on the baseline, so only a policy can
// reject.
package guard_test

import (
	"context"
	"flag"
	"os"
	"strconv"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
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

// stored makes a namespace in a mode, with objects that no policy has judged.
func stored(t *testing.T, mode string, objects ...client.Object) string {
	t.Helper()
	ns := namespace(t, guard.ModeOff)
	for _, object := range objects {
		object.SetNamespace(ns)
	}
	cluster.Create(t, objects...)
	expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, ns, mode))
	settle(t)
	return ns
}

func TestCorpus(t *testing.T) { setup.CheckCorpus(t, cluster, "../testdata") }

func TestTypes(t *testing.T) { setup.CheckTypes(t, cluster) }

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
	return 100
}

func TestEquivalence(t *testing.T) { setup.CheckRandom(t, cluster, *cases, *seed) }
