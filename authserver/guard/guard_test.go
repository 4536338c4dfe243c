// Package guard_test gives the guard's policies ToolHive's own CRDs, on a real
// API server.
package guard_test

import (
	"os"
	"testing"

	"github.com/scopegate/scopegate/authserver/internal/toolhive"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

func TestPolicies(t *testing.T) {
	if os.Getenv(controlplane.AssetsVariable) == "" {
		t.Skipf("%s is not set: `make test` sets it", controlplane.AssetsVariable)
	}
	setup.Quiet()
	crds, err := toolhive.CRDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := testenv.Start(t.Context(), controlplane.Options{CRDs: crds})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := setup.Install(t.Context(), cluster.Client); err != nil {
		t.Fatal(err)
	}
	// Each policy refuses a canary on these CRDs.
	if err := setup.Settle(t.Context(), cluster.Client); err != nil {
		t.Fatal(err)
	}
	t.Run("corpus", func(t *testing.T) { setup.CheckCorpus(t, cluster, os.DirFS("../../test/testdata")) })
	t.Run("types", func(t *testing.T) { setup.CheckTypes(t, cluster) })
}
