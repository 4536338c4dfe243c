// Package guard_test holds the guard's policies to what internal/resolve says,
// on a real API server with CRDs as ToolHive's are: without scopesSupported and
// without scopegate's rules on the baseline, so that it is a policy that refuses.
package guard_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	setup.Quiet()
	ctx := context.Background()
	crds, err := setup.LikeToolHive()
	if err != nil {
		return 1, err
	}
	if cluster, err = testenv.Start(ctx, controlplane.Options{CRDs: crds}); err != nil {
		return 1, err
	}
	defer func() {
		if stopped := cluster.Stop(); err == nil {
			err = stopped
		}
	}()
	if err := setup.Install(ctx, cluster.Client); err != nil {
		return 1, err
	}
	if err := setup.Settle(ctx, cluster.Client); err != nil {
		return 1, err
	}
	return m.Run(), nil
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
