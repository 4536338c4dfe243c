package manager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard/writer"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const notSupported = "False BaselineScopeNotSupported"

// TestConditionOfEachKind evaluates objects that were stored before the guard came,
// and then their repair.
func TestConditionOfEachKind(t *testing.T) {
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid", "admin")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared", "openid"))
	proxy := sample.Proxy(namespace, "remote", sample.ExternalAuthConfigRef("shared", "openid"))
	virtual := sample.Virtual(namespace, "virtual", sample.AuthServer("openid", "admin"), "openid")
	waiting := sample.Server(namespace, "waiting", sample.AuthServerRef("missing"))
	outgoing := sample.OutgoingConfig(namespace, "outgoing")
	cluster.Create(t, config, server, proxy, virtual, waiting, outgoing)
	cluster.StartGuard(t)

	for _, object := range []kinds.Object{config, server, proxy, virtual} {
		assertReports(t, testenv.AwaitValid(t, cluster, object, notSupported))
	}
	testenv.AwaitValid(t, cluster, waiting, "Unknown ScopesNotResolved")

	cluster.Create(t, sample.Config(namespace, "missing", "openid"))
	testenv.AwaitValid(t, cluster, waiting, "True BaselineScopesSupported")
	for _, refs := range []*[]string{&server.Spec.OIDCConfigRef.Scopes, &proxy.Spec.OIDCConfigRef.Scopes} {
		*refs = []string{"openid", "admin"}
	}
	for _, object := range []client.Object{server, proxy} {
		object.SetResourceVersion("")
		object.SetManagedFields(nil)
		expect.NoError(t, cluster.Client.Patch(t.Context(), object, client.Merge))
	}
	testenv.AwaitValid(t, cluster, config, "True BaselineScopesSupported")
	cluster.Get(t, outgoing)
	if len(outgoing.Status.Conditions) != 0 {
		t.Errorf("a config for outgoing calls runs no auth server, but has %+v", outgoing.Status.Conditions)
	}
}

// TestDefaultScopes starts the manager with other default scopes than ToolHive's.
func TestDefaultScopes(t *testing.T) {
	namespace := cluster.Namespace(t)
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	cluster.Create(t, sample.Config(namespace, "shared", "groups"), server)
	manager, err := cluster.RunWith(t.Context(), nil, operator.Options{OwnNamespace: controlplane.Namespace, DefaultScopes: []string{"openid", "groups"}})
	expect.NoError(t, err)
	t.Cleanup(func() { expect.NoError(t, manager.Stop()) })
	testenv.AwaitValid(t, cluster, server, "True BaselineScopesSupported")
}

// assertReports checks what the condition reports, and that the guard owns
// nothing else in the status.
func assertReports(t *testing.T, object kinds.Object) {
	t.Helper()
	found := testenv.Valid(object)
	if !strings.Contains(found.Message, `"admin"`) || found.ObservedGeneration != object.GetGeneration() {
		t.Errorf("got %+v, want the scope and generation %d", found, object.GetGeneration())
	}
	owners := 0
	for _, entry := range object.GetManagedFields() {
		if entry.Manager != "scopegate-guard" {
			continue
		}
		owners++
		var fields map[string]map[string]map[string]any
		expect.NoError(t, json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields))
		var owned []string
		for key := range fields["f:status"]["f:conditions"] {
			owned = append(owned, key)
		}
		if diff := cmp.Diff([]string{`k:{"type":"BaselineScopesValid"}`}, owned); diff != "" || len(fields["f:status"]) != 1 {
			t.Errorf("the guard owns more than its condition: %s\n%s", entry.FieldsV1.GetRawString(), diff)
		}
	}
	if owners != 1 {
		t.Errorf("managedFields has %d entries of the guard, want 1", owners)
	}
}

// TestToolHivesConditionsStay lets ToolHive write its list from an old copy,
// without the guard's entry and with an old one.
func TestToolHivesConditionsStay(t *testing.T) {
	cluster.StartGuard(t)
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "admin")
	cluster.Create(t, config, sample.Server(namespace, "web", sample.AuthServerRef("shared", "openid")))
	evaluated := testenv.AwaitValid(t, cluster, config, notSupported)
	old := testenv.Valid(evaluated)

	valid := condition("Valid", "ValidationSucceeded")
	writeAll(t, config, valid)
	testenv.AwaitValid(t, cluster, config, notSupported)
	old.Status, old.Reason, old.Message = "Unknown", "NotReferenced", "an old text"
	writeAll(t, config, valid, old)
	after := testenv.AwaitValid(t, cluster, config, notSupported)
	if got := testenv.Condition(after.Status.Conditions, "Valid"); got.Message != valid.Message || got.Status != valid.Status {
		t.Errorf("ToolHive's condition is now %+v", got)
	}
}

// TestConditionKeepsItsTime edits a baseline so that the message of the condition
// changes, and its status does not.
func TestConditionKeepsItsTime(t *testing.T) {
	cluster.StartGuard(t)
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "admin")
	cluster.Create(t, config, sample.Server(namespace, "web", sample.AuthServerRef("shared", "openid")))
	evaluated := testenv.AwaitValid(t, cluster, config, notSupported)
	entry := testenv.Valid(evaluated)
	entry.LastTransitionTime = metav1.NewTime(entry.LastTransitionTime.Add(-time.Hour))
	writeAll(t, config, entry)

	cluster.Patch(t, config, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["root"]}}}`)
	after := await(t, config, "names the new scope", func(c metav1.Condition) bool { return strings.Contains(c.Message, `"root"`) })
	got := testenv.Valid(after)
	if !got.LastTransitionTime.Equal(&entry.LastTransitionTime) || got.ObservedGeneration != after.Generation {
		t.Errorf("got %+v, want the time %s and generation %d", got, entry.LastTransitionTime, after.Generation)
	}
}

// TestConditionIsRemovedThoughToolHiveWroteItBack makes ToolHive a co-owner of
// the entry, so that an apply without it would not remove it.
func TestConditionIsRemovedThoughToolHiveWroteItBack(t *testing.T) {
	cluster.StartGuard(t)
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "admin")
	cluster.Create(t, config)
	evaluated := testenv.AwaitValid(t, cluster, config, "Unknown NotReferenced")
	valid := condition("Valid", "ValidationSucceeded")
	writeAll(t, config, append([]metav1.Condition{valid}, evaluated.Status.Conditions...)...)

	cluster.Patch(t, config, `{"spec":{"type":"unauthenticated","embeddedAuthServer":null}}`)
	after := await(t, config, "has no entry", func(c metav1.Condition) bool { return c.Type == "" })
	if got := testenv.Condition(after.Status.Conditions, "Valid"); got.Message != valid.Message {
		t.Errorf("ToolHive's condition is now %+v", got)
	}
}

// standDowns returns how many objects the metric counts, and the number of events.
func standDowns(t *testing.T, namespace string) (counted float64, recorded int) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.Collector{Cache: client.NewNamespacedClient(cluster.Client, namespace)})
	families, err := registry.Gather()
	expect.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.Metric {
			if family.GetName() == "scopegate_guard_stood_down" {
				counted += metric.GetGauge().GetValue()
			}
		}
	}
	list := &eventsv1.EventList{}
	expect.NoError(t, cluster.Client.List(t.Context(), list, client.InNamespace(namespace)))
	for _, event := range list.Items {
		if event.Reason == writer.ReasonStoodDown {
			recorded++
		}
	}
	return counted, recorded
}

// TestStandsDown lets somebody else write the condition of one object with a reason
// that scopegate does not have. The manager must leave only that object alone, whatever
// users edit, until the other writer is gone.
func TestStandsDown(t *testing.T) {
	namespace := cluster.Namespace(t)
	config, neighbour := sample.Config(namespace, "shared", "admin"), sample.Config(namespace, "neighbour", "admin")
	cluster.Create(t, config, neighbour, sample.Server(namespace, "web", sample.AuthServerRef("shared", "openid")))
	cluster.StartGuard(t)
	testenv.AwaitValid(t, cluster, config, notSupported)
	foreign := condition("BaselineScopesValid", "AllGood")
	writeAll(t, config, foreign)
	expect.Eventually(t, "it is reported", func(context.Context) (bool, error) {
		counted, recorded := standDowns(t, namespace)
		return counted == 1 && recorded == 1, nil
	})
	for i, edit := range []string{`["root"]`, `null`} {
		cluster.Patch(t, config, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":`+edit+`}}}`)
		// The manager works, and has seen the edit before this one.
		cluster.Patch(t, neighbour, fmt.Sprintf(`{"spec":{"embeddedAuthServer":{"issuer":"https://%d.example.com"}}}`, i))
		await(t, neighbour, "is evaluated", func(c metav1.Condition) bool { return c.ObservedGeneration == int64(i+2) })
		cluster.Get(t, config)
		expect.Equal(t, "the foreign condition", foreign.Reason, testenv.Valid(config).Reason)
	}
	if counted, recorded := standDowns(t, namespace); counted != 1 || recorded != 1 {
		t.Errorf("%v objects are counted in %d events, want 1 in 1", counted, recorded)
	}
	writeAll(t, config)
	testenv.AwaitValid(t, cluster, config, "True BaselineScopesSupported")
	if counted, _ := standDowns(t, namespace); counted != 0 {
		t.Errorf("%v objects are counted after the other writer is gone", counted)
	}
}

// TestEachStandDownIsReported lets another writer come back.
func TestEachStandDownIsReported(t *testing.T) {
	config := sample.Config(cluster.Namespace(t), "shared", "admin")
	cluster.Create(t, config)
	guarded, err := client.New(cluster.ManagerConfig(), client.Options{Scheme: operator.Scheme})
	expect.NoError(t, err)
	reports := 0
	w := writer.New(guarded, func(client.Object, *metav1.Condition) { reports++ })
	write := func(wants bool, conditions ...metav1.Condition) {
		t.Helper()
		writeAll(t, config, conditions...)
		cluster.Get(t, config)
		wrote, err := w.Write(t.Context(), config, []metav1.Condition{condition("BaselineScopesValid", "BaselineScopesSupported")})
		if wrote != wants || err != nil {
			t.Errorf("wrote %t, error %v, want %t", wrote, err, wants)
		}
	}
	for i := range 2 {
		write(false, condition("BaselineScopesValid", "AllGood"))
		expect.Equal(t, "reports", i+1, reports)
		write(true)
	}
}

// TestTwoWritersWithTheSameReasons answers each write at once with another condition.
// The writer must give up, for a while and for this object only.
func TestTwoWritersWithTheSameReasons(t *testing.T) {
	namespace := cluster.Namespace(t)
	config, neighbour := sample.Config(namespace, "shared", "admin"), sample.Config(namespace, "neighbour", "admin")
	cluster.Create(t, config, neighbour)
	guarded, err := client.New(cluster.ManagerConfig(), client.Options{Scheme: operator.Scheme})
	expect.NoError(t, err)
	ours := []metav1.Condition{condition("BaselineScopesValid", "BaselineScopesSupported")}
	theirs := condition("BaselineScopesValid", "NotReferenced")
	limited := writer.New(guarded, func(client.Object, *metav1.Condition) { t.Error("it stands down") })
	const most = 1000
	writes := 0
	for ; err == nil && writes < most; writes++ {
		writeAll(t, config, theirs)
		cluster.Get(t, config)
		_, err = limited.Write(t.Context(), config, ours)
	}
	if !errors.Is(err, writer.ErrTooOften) {
		t.Errorf("got %v after %d writes, want that they are too many", err, writes)
	}
	if wrote, err := limited.Write(t.Context(), neighbour, ours); !wrote || err != nil {
		t.Errorf("the neighbour: wrote %t, error %v", wrote, err)
	}
	limited.Forget(client.ObjectKeyFromObject(config))
	if wrote, err := limited.Write(t.Context(), config, ours); !wrote || err != nil {
		t.Errorf("after it was forgotten: wrote %t, error %v", wrote, err)
	}
}
