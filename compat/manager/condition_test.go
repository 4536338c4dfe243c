package manager_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

const notSupported = "False BaselineScopeNotSupported"

// TestConditionOfEachKind evaluates objects that were stored before the guard came,
// and then their repair.
func TestConditionOfEachKind(t *testing.T) {
	namespace := cluster.Namespace(t)
	config := testenv.Config(namespace, "shared", "openid", "admin")
	server := testenv.Server(namespace, "web", testenv.AuthServerRef("shared", "openid"))
	proxy := testenv.Proxy(namespace, "remote", testenv.ExternalAuthConfigRef("shared", "openid"))
	virtual := testenv.Virtual(namespace, "virtual", testenv.AuthServer("openid", "admin"), "openid")
	waiting := testenv.Server(namespace, "waiting", testenv.AuthServerRef("missing"))
	outgoing := testenv.OutgoingConfig(namespace, "outgoing")
	cluster.Create(t, config, server, proxy, virtual, waiting, outgoing)
	cluster.StartGuard(t)

	for _, object := range []status.Object{config, server, proxy, virtual} {
		assertReports(t, testenv.AwaitValid(t, cluster, object, notSupported))
	}
	testenv.AwaitValid(t, cluster, waiting, "Unknown ScopesNotResolved")

	cluster.Create(t, testenv.Config(namespace, "missing", "openid"))
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

// assertReports checks what the condition reports, and that the guard owns
// nothing else in the status.
func assertReports(t *testing.T, object status.Object) {
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
	config := testenv.Config(namespace, "shared", "admin")
	cluster.Create(t, config, testenv.Server(namespace, "web", testenv.AuthServerRef("shared", "openid")))
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
	config := testenv.Config(namespace, "shared", "admin")
	cluster.Create(t, config, testenv.Server(namespace, "web", testenv.AuthServerRef("shared", "openid")))
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
	config := testenv.Config(namespace, "shared", "admin")
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

// TestHeld marks the ConfigMap of a workload as held. The message of the
// condition must report it, which is not a transition.
func TestHeld(t *testing.T) {
	cluster.StartGuard(t)
	namespace := cluster.Namespace(t)
	server := testenv.Server(namespace, "web", testenv.AuthServerRef("shared", "openid"))
	cluster.Create(t, testenv.Config(namespace, "shared", "admin"), server)
	before := testenv.AwaitValid(t, cluster, server, notSupported)
	configMap := setup.RunConfig(namespace, "web", "openid")
	configMap.Labels[guard.HeldLabel] = "true"
	configMap.OwnerReferences[0].UID = server.UID
	cluster.Create(t, configMap)
	held := await(t, server, "is held", func(c metav1.Condition) bool { return strings.HasPrefix(c.Message, "held: ") })
	was, is := testenv.Valid(before), testenv.Valid(held)
	if want := "held: pods keep running with the last good run config; " + was.Message; is.Message != want || is.LastTransitionTime != was.LastTransitionTime {
		t.Errorf("got %+v, want the time of before and the message %q", is, want)
	}
	cluster.Delete(t, configMap)
	await(t, server, "is no longer held", func(c metav1.Condition) bool { return c.Message == was.Message })
}

// awaitAnswer waits until the manager repairs the condition of an object, and reports
// whether it stands down instead.
func awaitAnswer(t *testing.T, config *v1beta1.MCPExternalAuthConfig) (stoodDown bool) {
	t.Helper()
	expect.Eventually(t, "the condition is repaired or left alone", func(ctx context.Context) (bool, error) {
		events := &eventsv1.EventList{}
		if err := cluster.Client.List(ctx, events, client.InNamespace(config.Namespace)); err != nil {
			return false, err
		}
		stoodDown = slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool {
			return e.Regarding.Name == config.Name && e.Reason == "GuardStoodDown"
		})
		now := &v1beta1.MCPExternalAuthConfig{}
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(config), now)
		return stoodDown || testenv.Valid(now).Reason == v1alpha1.ReasonBaselineScopeNotSupported, err
	})
	return stoodDown
}

// TestStandsDown lets somebody else write the condition of one object: with a reason
// that scopegate does not have, or the same condition again and again. The manager
// must leave only that object alone, until somebody edits it.
func TestStandsDown(t *testing.T) {
	for name, other := range map[string]struct {
		condition metav1.Condition
		first     bool
	}{
		"another reason":                 {condition: condition("BaselineScopesValid", "AllGood")},
		"another reason, which is first": {condition: condition("BaselineScopesValid", "AllGood"), first: true},
		"again and again":                {condition: condition("BaselineScopesValid", "BaselineScopesSupported")},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := cluster.Namespace(t)
			config, neighbour := testenv.Config(namespace, "shared", "admin"), testenv.Config(namespace, "neighbour", "admin")
			cluster.Create(t, config, neighbour, testenv.Server(namespace, "web", testenv.AuthServerRef("shared", "openid")))
			if other.first {
				writeAll(t, config, other.condition)
			}
			cluster.StartGuard(t)
			testenv.AwaitValid(t, cluster, config, notSupported)
			for stoodDown := false; !stoodDown; {
				writeAll(t, config, other.condition)
				stoodDown = awaitAnswer(t, config)
			}

			// The manager still writes another object of the kind, and does not
			// write this one meanwhile.
			neighbour.Spec.EmbeddedAuthServer.BaselineClientScopes = nil
			cluster.Patch(t, neighbour, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":null}}}`)
			testenv.AwaitValid(t, cluster, neighbour, "True BaselineScopesSupported")
			await(t, config, "is left alone", func(c metav1.Condition) bool { return c.Message == other.condition.Message })

			cluster.Patch(t, config, `{"spec":{"embeddedAuthServer":{"issuer":"https://other.example.com"}}}`)
			testenv.AwaitValid(t, cluster, config, notSupported)
		})
	}
}
