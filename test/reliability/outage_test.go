package reliability_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/internal/testing/testenv/faults"
)

// TestOutage takes the API server away from the manager, run as it is shipped: a
// process that has to renew a lease. Users edit meanwhile. The process goes on,
// and then does what it has missed.
func TestOutage(t *testing.T) {
	lengths := []time.Duration{time.Second}
	if full() > 0 {
		lengths = []time.Duration{5 * time.Second, 15 * time.Second, 60 * time.Second}
	}
	w, err := newWorld(t.Context(), standalone, "outage")
	expect.NoError(t, err)
	w.follow(true)
	proxy := newProxy(t)
	process := startThrough(t, proxy, w)
	expect.NoError(t, standalone.seen.await(t.Context(), w.namespace, w.wrong))
	edits := story()
	for _, length := range lengths {
		proxy.Away()
		for _, e := range edits[:3] {
			expect.NoError(t, w.do(t.Context(), e, false))
		}
		edits = edits[3:]
		<-time.After(length)
		expect.NoError(t, proxy.Back(t.Context()))
		begin := time.Now()
		expect.NoError(t, standalone.seen.await(t.Context(), w.namespace, w.wrong))
		report("R6", begin, fmt.Sprintf("the API server is away for %s, with three edits meanwhile", length), "0 exits, recovered in %s",
			time.Since(begin).Round(100*time.Millisecond))
	}
	if err := process.Stop(); err != nil {
		t.Errorf("the manager did not outlast the outages: %v", err)
	}
}

// newProxy is between a manager and the API server of standalone mode.
func newProxy(t *testing.T) *faults.Proxy {
	t.Helper()
	host := standalone.Config.Host
	if target, err := url.Parse(host); err == nil && target.Host != "" {
		host = target.Host
	}
	proxy, err := faults.NewProxy(t.Context(), host)
	expect.NoError(t, err)
	t.Cleanup(proxy.Away)
	return proxy
}

// startThrough starts a manager in standalone mode, as a process with a lease, that
// reaches the API server through a proxy and works in the namespace of a world.
func startThrough(t *testing.T, proxy *faults.Proxy, w *world) *testenv.Process {
	t.Helper()
	through := &testenv.Cluster{ControlPlane: &controlplane.ControlPlane{Config: rest.CopyConfig(standalone.Config)}, Client: standalone.Client}
	through.Config.Host = "https://" + proxy.Address()
	return testenv.StartProcess(t, testenv.BuildManager(t), "--standalone",
		"--kubeconfig", through.KubeconfigOf(t, controlplane.Namespace, "scopegate"), "--watch-namespaces", w.namespace,
		"--leader-elect", "--leader-election-namespace", controlplane.Namespace,
		"--metrics-bind-address", "0", "--health-probe-bind-address", "0", "--auth-server-image", testenv.AuthServerImage)
}
