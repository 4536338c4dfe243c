package reliability_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
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
	w, err := newWorld(t.Context(), standalone, "outage")
	expect.NoError(t, err)
	w.follow(true)
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

const (
	costConsumers = 200
	costRounds    = 20
)

// TestFailingRequestsCost measures how much longer it takes, after one edit of a
// config with many consumers, until the last condition is right, if a share of
// the requests fails. It only fills the table.
func TestFailingRequestsCost(t *testing.T) {
	if full() == 0 {
		t.Skip("only in a full run")
	}
	ctx, started := t.Context(), time.Now()
	w, err := newWorld(ctx, standalone, "cost")
	expect.NoError(t, err)
	w.follow(true)
	for _, name := range sample.Many("many", costConsumers) {
		server := sample.Server(w.namespace, name, sample.AuthServerRef("a", "openid"))
		// There is no such MCPOIDCConfig, so the manager writes only statuses.
		server.Spec.OIDCConfigRef.Name = "none"
		expect.NoError(t, w.Client.Create(ctx, server))
	}
	k := keep(ctx, w, 16, start{})
	rates := []float64{0, 0.25, 0.5}
	took := map[float64][]time.Duration{}
	for round := range costRounds {
		for i, rate := range rates {
			link := k.current()
			link.Fail(rate, int64(round), -1)
			scopes, want := []string{"openid"}, metav1.ConditionTrue
			if (round*len(rates)+i)%2 == 1 {
				scopes, want = []string{"openid", "admin"}, metav1.ConditionFalse
			}
			begin := time.Now()
			w.mu.Lock()
			err := setBaseline("a", scopes, nil).do(ctx, w)
			w.mu.Unlock()
			expect.NoError(t, err)
			expect.NoError(t, w.seen.await(ctx, w.namespace, func() string { return notAll(ctx, w, want) }))
			took[rate] = append(took[rate], time.Since(begin))
		}
	}
	if err := k.end(); err != nil {
		t.Error(err)
	}
	median := func(rate float64) time.Duration {
		slices.Sort(took[rate])
		return took[rate][len(took[rate])/2]
	}
	for _, rate := range rates[1:] {
		report(t, "R5", started, fmt.Sprintf("one edit of a config with %d consumers, %d rounds, %.0f %% of all requests fail", costConsumers, costRounds, 100*rate),
			"median %s, without failures %s: ratio %.2f",
			median(rate).Round(time.Millisecond), median(0).Round(time.Millisecond), float64(median(rate))/float64(median(0)))
	}
}

// notAll describes a server whose condition is not yet as wanted, or returns
// "".
func notAll(ctx context.Context, w *world, want metav1.ConditionStatus) string {
	list := &v1beta1.MCPServerList{}
	if err := w.seen.List(ctx, list, client.InNamespace(w.namespace), client.UnsafeDisableDeepCopy); err != nil {
		return err.Error()
	}
	for i := range list.Items {
		server := &list.Items[i]
		if server.Spec.AuthServerRef == nil || server.Spec.AuthServerRef.Name != "a" || server.Name == "web" {
			continue
		}
		if got := testenv.Valid(server).Status; got != want {
			return fmt.Sprintf("%s says %s, want %s", server.Name, got, want)
		}
	}
	return ""
}
