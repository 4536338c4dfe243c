// Package guard_test holds the guard's policies to what internal/resolve says,
// on a real API server with CRDs as ToolHive's are: without scopesSupported and
// without scopegate's rules on the baseline, so that it is a policy that refuses.
package guard_test

import (
	"context"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) {
	testenv.MainAfter(m, func(ctx context.Context, atEnd func(func() error)) error {
		setup.Quiet()
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

// namespace makes a namespace in a mode that holds when it returns.
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

// store creates objects while no policy is asked in their namespace.
func store(t *testing.T, namespace, mode string, objects ...client.Object) {
	t.Helper()
	expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, namespace, "off"))
	settle(t)
	cluster.Create(t, objects...)
	expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, namespace, mode))
	settle(t)
}
