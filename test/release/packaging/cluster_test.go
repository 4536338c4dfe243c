package packaging_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	toolhive "github.com/scopegate/scopegate/test/e2e/chart"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// shared is a cluster with ToolHive's CRDs. Tests take it one after another, and leave
// nothing of scopegate behind.
var shared struct {
	sync.Mutex
	cluster *testenv.Cluster
}

func takeCluster(t *testing.T) *testenv.Cluster {
	t.Helper()
	shared.Lock()
	t.Cleanup(shared.Unlock)
	if shared.cluster != nil {
		return shared.cluster
	}
	crds, err := toolhive.CRDs(setup.Root)
	expect.NoError(t, err)
	shared.cluster, err = testenv.Start(context.WithoutCancel(t.Context()), controlplane.Options{Bare: true})
	expect.NoError(t, err)
	// The quota of the canary's namespace applies once a controller has written its status.
	expect.NoError(t, shared.cluster.StartControllers("namespace-controller,resourcequota-controller", nil))
	_, err = envtest.InstallCRDs(shared.cluster.Config, envtest.CRDInstallOptions{MaxTime: 2 * time.Minute, Paths: []string{crds}, ErrorIfPathMissing: true})
	expect.NoError(t, err)
	return shared.cluster
}

func stopCluster() error {
	if shared.cluster == nil {
		return nil
	}
	defer func() { shared.cluster = nil }()
	return errors.Join(shared.cluster.CheckRollouts(), shared.cluster.Stop())
}

func kubectl(t *testing.T, cluster *testenv.Cluster, arguments ...string) string {
	t.Helper()
	output, err := setup.Kubectl(t.Context(), cluster.ControlPlane, arguments...)
	expect.NoError(t, err)
	return output
}

func helm(t *testing.T, cluster *testenv.Cluster, arguments ...string) error {
	t.Helper()
	_, err := setup.Tool(t.Context(), "helm", append([]string{"--kubeconfig", cluster.Kubeconfig, "--namespace", "scopegate-system"}, arguments...)...)
	return err
}
