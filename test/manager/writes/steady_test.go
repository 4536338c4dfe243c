package writes_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// reconciles are how many reconciles have ended in this process, and how many
// objects are queued or being reconciled. They include managers that have
// stopped, with what is left in their queues.
type reconciles struct{ ended, pending float64 }

func countReconciles(t *testing.T) reconciles {
	t.Helper()
	ended, queued, active, err := testenv.Reconciles()
	expect.NoError(t, err)
	return reconciles{ended, queued + active}
}

// awaitReconciles waits until at least n more reconciles than before have ended
// and none is left. idle is the count before the start of the manager that
// runs.
func awaitReconciles(t *testing.T, idle, before reconciles, n int) {
	t.Helper()
	var now reconciles
	expect.Eventually(t, fmt.Sprintf("%d reconciles have ended", n), func(context.Context) (bool, error) {
		now = countReconciles(t)
		return now.ended-before.ended >= float64(n) && now.pending == idle.pending, nil
	}, func() string {
		return fmt.Sprintf("%v ended, %v pending", now.ended-before.ended, now.pending-idle.pending)
	})
}

// awaitSettled waits until the current generation of every object of a namespace
// is evaluated, and every auth server that rolls out is as far as it gets without
// a kubelet.
func awaitSettled(t *testing.T, namespace string) {
	t.Helper()
	unsettled := -1
	expect.Eventually(t, "all objects settle", func(ctx context.Context) (bool, error) {
		unsettled = 0
		for _, list := range []client.ObjectList{&v1beta1.MCPExternalAuthConfigList{}, &v1beta1.MCPServerList{}, &v1beta1.MCPRemoteProxyList{}, &v1beta1.VirtualMCPServerList{}} {
			if err := cluster.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
				return false, err
			}
			err := meta.EachListItem(list, func(item runtime.Object) error {
				object := item.(kinds.Object)
				ready := testenv.Condition(object.GetStatus().Conditions, "Ready")
				rolling := ready.Reason == "RollingOut" && !strings.HasSuffix(ready.Message, "0 of 1 updated pods available")
				if object.GetStatus().ObservedGeneration != object.GetGeneration() || rolling {
					unsettled++
				}
				return nil
			})
			if err != nil {
				return false, err
			}
		}
		return unsettled == 0, nil
	}, func() string { return fmt.Sprintf("%d do not", unsettled) })
}

// settle runs a manager until the objects of a namespace are settled. So the
// next manager sees them settled from its start.
func settle(t *testing.T, namespace string) {
	t.Helper()
	manager := cluster.StartStandalone(t, nil)
	awaitSettled(t, namespace)
	expect.NoError(t, manager.Stop())
}

// TestSteadyStateWritesNothing reconciles 500 settled objects once more, as a
// resync or a restart does, and counts what is sent.
func TestSteadyStateWritesNothing(t *testing.T) {
	const configs, objects = 100, 500
	namespace := cluster.Namespace(t)
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"))
	for i, name := range sample.Many("c", configs) {
		baseline := []string{"openid"}
		if i%2 == 0 {
			baseline = []string{"admin"}
		}
		cluster.Create(t, sample.Config(namespace, name, baseline...),
			sample.Server(namespace, name, sample.AuthServerRef(name)),
			sample.Server(namespace, name+"-gone", sample.AuthServerRef("gone")),
			sample.Proxy(namespace, name, sample.ExternalAuthConfigRef(name)),
			sample.Virtual(namespace, name, sample.AuthServer(baseline...)))
	}
	settle(t, namespace)

	wire := &wire{}
	idle := countReconciles(t)
	second := cluster.StartStandalone(t, wire.wrap)
	awaitReconciles(t, idle, idle, objects)
	expect.NoError(t, second.Stop())
	if sent := wire.take(writes...); len(sent) != 0 {
		t.Errorf("%d writes in a steady state, the first: %s", len(sent), sent[0])
	}
}

// TestOneEditWritesWhatChanges edits a config with 40 consumers, of which 10
// change their verdict: one status for each of them, and the config's own.
func TestOneEditWritesWhatChanges(t *testing.T) {
	const consumers, changing = 40, 10
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid")
	cluster.Create(t, config)
	for i, name := range sample.Many("web", consumers) {
		scopes := []string{"openid", "admin"}
		if i < changing {
			scopes = []string{"openid"}
		}
		// Without the MCPOIDCConfig nothing rolls, so statuses are all there is.
		cluster.Create(t, sample.Server(namespace, name, sample.AuthServerRef("shared", scopes...)))
	}
	settle(t, namespace)
	wire := &wire{}
	idle := countReconciles(t)
	manager := cluster.StartStandalone(t, wire.wrap)
	awaitReconciles(t, idle, idle, consumers+1)
	wire.take()

	before := countReconciles(t)
	cluster.Get(t, config)
	setBaseline(t, config, "openid", "admin")
	// The condition of each consumer and of the config turns to False. So does
	// Ready, for the same reason, which makes no second event. An event follows
	// the write that it reports.
	const events = changing + 1
	awaitEvents(t, namespace, events, "MCPExternalAuthConfig", "MCPServer")
	awaitReconciles(t, idle, before, consumers+1)
	expect.NoError(t, manager.Stop())
	counts := map[string]int{}
	for _, request := range wire.takeWritten() {
		switch {
		case strings.Contains(request, "/mcpexternalauthconfigs/shared/status"):
			counts["config"]++
		case strings.Contains(request, "/mcpservers/web-") && strings.Contains(request, "/status"):
			counts["consumers"]++
		case strings.Contains(request, "/events"):
			counts["events"]++
		default:
			counts[request]++
		}
	}
	expect.Equal(t, "writes", map[string]int{"config": 1, "consumers": changing, "events": events}, counts)
}

func setBaseline(t *testing.T, config *v1beta1.MCPExternalAuthConfig, baseline ...string) {
	t.Helper()
	testenv.Edit(t, cluster, config, func(c *v1beta1.MCPExternalAuthConfig) { c.Spec.EmbeddedAuthServer.BaselineClientScopes = baseline })
}

// awaitEvents waits until a namespace has at least n events of scopegate about
// objects of the kinds, and returns them.
func awaitEvents(t *testing.T, namespace string, n int, kinds ...string) []eventsv1.Event {
	t.Helper()
	list := &eventsv1.EventList{}
	expect.Eventually(t, fmt.Sprintf("there are %d events", n), func(ctx context.Context) (bool, error) {
		if err := cluster.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return false, err
		}
		list.Items = slices.DeleteFunc(list.Items, func(event eventsv1.Event) bool {
			return event.ReportingController != "scopegate" || !slices.Contains(kinds, event.Regarding.Kind)
		})
		return len(list.Items) >= n, nil
	}, func() string { return fmt.Sprintf("%d are", len(list.Items)) })
	return list.Items
}

// TestEventsOnTransitions follows the events of a config through its life.
func TestEventsOnTransitions(t *testing.T) {
	namespace := cluster.Namespace(t)
	cluster.StartStandalone(t, nil)
	config := sample.Config(namespace, "shared", "openid")
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), config)
	edit := func(scope string, want string) {
		t.Helper()
		setBaseline(t, config, scope)
		config = testenv.Await(t, cluster.Client, config, "says "+want, func(c *v1beta1.MCPExternalAuthConfig) bool {
			return c.Status.ObservedGeneration == c.Generation && string(testenv.Valid(c).Status) == want
		})
	}
	config = testenv.AwaitValid(t, cluster, config, "Unknown NotReferenced")
	cluster.Create(t, sample.Proxy(namespace, "p", sample.AuthServerRef("shared")))
	config = testenv.AwaitValid(t, cluster, config, "True")
	edit("admin", "False")
	edit("root", "False")
	edit("email", "True")

	// Neither the first evaluation nor a change of the message is a transition.
	want := []string{"Normal BaselineScopesSupported", "Normal BaselineScopesSupported", "Warning BaselineScopeNotSupported"}
	var got []string
	for _, event := range awaitEvents(t, namespace, len(want), "MCPExternalAuthConfig") {
		got = append(got, fmt.Sprintf("%s %s", event.Type, event.Reason))
	}
	expect.Equal(t, "events of the config", want, slices.Sorted(slices.Values(got)))
}
