package reliability_test

import (
	"fmt"
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
	if *full > 0 {
		lengths = []time.Duration{5 * time.Second, 15 * time.Second, 60 * time.Second}
	}
	w := worldOf(t, standalone, "outage")
	proxy, process := startThrough(t, w, 0)
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

// startThrough is like startProcess, but the manager reaches the API server
// through a proxy, which delays each answer.
func startThrough(t *testing.T, w *world, delay time.Duration) (*faults.Proxy, *testenv.Process) {
	t.Helper()
	target, _, err := rest.DefaultServerUrlFor(w.Config)
	expect.NoError(t, err)
	proxy, err := faults.NewProxy(t.Context(), target.Host)
	expect.NoError(t, err)
	t.Cleanup(proxy.Away)
	proxy.Delay = delay
	through := rest.CopyConfig(w.Config)
	through.Host = "https://" + proxy.Address()
	return proxy, startProcess(t, testenv.BuildManager(t), w, through)
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
