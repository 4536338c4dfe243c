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

func TestTypes(t *testing.T) { setup.CheckTypes(t, cluster) }

var (
	seed   = flag.Uint64("seed", 1, "of the random namespaces")
	update = flag.Bool("update", false, "rewrite the golden file")
)

func TestEquivalence(t *testing.T) {
	cases := 100
	// `make prove SUITE=policies` sets it.
	if n, err := strconv.Atoi(os.Getenv("SCOPEGATE_GUARD_CASES")); err == nil {
		cases = n
	}
	setup.CheckRandom(t, cluster, cases, *seed)
}
