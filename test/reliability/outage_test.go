package reliability_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/reliability/faults"
)

// TestOutage takes the API server away from a manager that runs as it is
// shipped: as a process that has to renew a lease. Users edit meanwhile. The
// process must keep running, and must then catch up.
func TestOutage(t *testing.T) {
	lengths := []time.Duration{time.Second}
	if full() > 0 {
		lengths = []time.Duration{5 * time.Second, 15 * time.Second, 60 * time.Second}
	}
	w := worldOf(t, standalone, "outage")
	proxy := newProxy(t)
	process := startThrough(t, proxy, w)
	awaitRight(t, w)
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
		awaitRight(t, w)
		report(t, "R6", begin, fmt.Sprintf("the API server is away for %s, with three edits meanwhile", length), "0 exits, recovered in %s",
			time.Since(begin).Round(100*time.Millisecond))
	}
	if err := process.Stop(); err != nil {
		t.Errorf("the manager did not survive the outages: %v", err)
	}
}

// newProxy returns a proxy between a manager and the API server of standalone
// mode.
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

// startThrough is like startProcess, but the manager reaches the API server
// through a proxy.
func startThrough(t *testing.T, proxy *faults.Proxy, w *world) *testenv.Process {
	t.Helper()
	through := rest.CopyConfig(w.Config)
	through.Host = "https://" + proxy.Address()
	return startProcess(t, testenv.BuildManager(t), w, through)
}

// startProcess starts a manager in standalone mode, as a process with a lease, that
// works in the namespace of a world.
func startProcess(t *testing.T, manager string, w *world, config *rest.Config) *testenv.Process {
	t.Helper()
	reached := &testenv.Cluster{ControlPlane: &controlplane.ControlPlane{Config: config}, Client: w.Client}
	return testenv.StartProcess(t, manager, "--standalone",
		"--kubeconfig", reached.KubeconfigOf(t, controlplane.Namespace, "scopegate"), "--watch-namespaces", w.namespace,
		"--leader-elect", "--leader-election-namespace", controlplane.Namespace,
		"--metrics-bind-address", "0", "--health-probe-bind-address", "0", "--auth-server-image", testenv.AuthServerImage)
}

// worldOf returns a new world, in which no manager runs yet.
func worldOf(t *testing.T, p *plane, namespace string) *world {
	t.Helper()
	w, err := newWorld(t.Context(), p, namespace)
	expect.NoError(t, err)
	return w
}

func awaitRight(t *testing.T, w *world) {
	t.Helper()
	expect.NoError(t, w.await(t.Context(), w.wrong))
}
