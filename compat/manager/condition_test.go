package manager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard/writer"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const supported, notSupported = "True BaselineScopesSupported", "False BaselineScopeNotSupported"

// TestOwnsItsConditionAlone looks at what the guard owns in an object of each kind.
// test/reliability and compat/crds compare what the conditions say.
func TestOwnsItsConditionAlone(t *testing.T) {
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid", "admin")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared", "openid"))
	proxy := sample.Proxy(namespace, "remote", sample.ExternalAuthConfigRef("shared", "openid"))
	virtual := sample.Virtual(namespace, "virtual", sample.AuthServer("openid", "admin"), "openid")
	cluster.Create(t, config, server, proxy, virtual)
	cluster.StartGuard(t)
	for _, object := range []kinds.Object{config, server, proxy, virtual} {
		var owned []string
		for _, entry := range testenv.AwaitValid(t, cluster, object, notSupported).GetManagedFields() {
			if entry.Manager == "scopegate-guard" {
				owned = append(owned, entry.FieldsV1.GetRawString())
			}
		}
		expect.Equal(t, object.GetName(), []string{`{"f:status":{"f:conditions":{"k:{\"type\":\"BaselineScopesValid\"}":{".":{},"f:lastTransitionTime":{},` +
			`"f:message":{},"f:observedGeneration":{},"f:reason":{},"f:status":{},"f:type":{}}}}}`}, owned)
	}
}

// TestDefaultScopes starts the manager with other default scopes than ToolHive's.
func TestDefaultScopes(t *testing.T) {
	namespace := cluster.Namespace(t)
	config, server := sample.Config(namespace, "shared", "groups"), sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	cluster.Create(t, config, server)
	manager, err := cluster.RunWith(t.Context(), nil, operator.Options{OwnNamespace: controlplane.Namespace, DefaultScopes: []string{"openid", "groups"}})
	expect.NoError(t, err)
	t.Cleanup(func() { expect.NoError(t, manager.Stop()) })
	testenv.AwaitValid(t, cluster, server, supported)
	testenv.AwaitValid(t, cluster, config, supported)
}

// TestToolHivesConditionsStay lets ToolHive write its list from an old copy,
// without the guard's entry and with an old one. Then ToolHive is a co-owner of
// the entry, so that an apply without it would not remove it.
func TestToolHivesConditionsStay(t *testing.T) {
	cluster.StartGuard(t)
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "admin")
	cluster.Create(t, config, sample.Server(namespace, "web", sample.AuthServerRef("shared", "openid")))
	old := testenv.Valid(testenv.AwaitValid(t, cluster, config, notSupported))

	valid := condition("Valid", "ValidationSucceeded")
	writeAll(t, config, valid)
	testenv.AwaitValid(t, cluster, config, notSupported)
	old.Status, old.Reason, old.Message = "Unknown", "NotReferenced", "an old text"
	writeAll(t, config, valid, old)
	after := testenv.AwaitValid(t, cluster, config, notSupported)
	expect.Equal(t, "ToolHive's condition", valid.Message, testenv.Condition(after.Status.Conditions, "Valid").Message)

	cluster.Patch(t, config, `{"spec":{"type":"unauthenticated","embeddedAuthServer":null}}`)
	after = await(t, config, "has no entry", func(c metav1.Condition) bool { return c.Type == "" })
	expect.Equal(t, "ToolHive's condition", valid.Message, testenv.Condition(after.Status.Conditions, "Valid").Message)
}

// TestTimeThatGoRejects stores a time that the API server admits and Go does not decode.
// It must not keep the manager from this object, nor from any other.
func TestTimeThatGoRejects(t *testing.T) {
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid")
	odd, other := sample.Server(namespace, "odd", sample.AuthServerRef("shared", "openid")), sample.Server(namespace, "other", sample.AuthServerRef("shared", "openid"))
	cluster.Create(t, config, odd, other)
	cluster.StartGuard(t)
	testenv.AwaitValid(t, cluster, other, supported)
	testenv.AwaitValid(t, cluster, odd, supported)
	const entry = `{"type":%q,"status":"True","reason":"BaselineScopesSupported","message":"","lastTransitionTime":"2026-01-01t00:00:00z"}`
	patch := fmt.Sprintf(`{"status":{"conditions":[`+entry+`,`+entry+`]}}`, "Ready", writer.Type)
	expect.NoError(t, cluster.Client.Status().Patch(t.Context(), odd.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))))
	await(t, odd, "has its message again", func(c metav1.Condition) bool { return c.Message != "" })
	for _, want := range []string{notSupported, supported} {
		baseline := map[string]string{notSupported: "admin", supported: "openid"}[want]
		cluster.Patch(t, config, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["`+baseline+`"]}}}`)
		testenv.AwaitValid(t, cluster, other, want)
		testenv.AwaitValid(t, cluster, odd, want)
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

// standDowns returns the number of events that say so.
func standDowns(t *testing.T, namespace string) (recorded int) {
	t.Helper()
	list := &eventsv1.EventList{}
	expect.NoError(t, cluster.Client.List(t.Context(), list, client.InNamespace(namespace)))
	for _, event := range list.Items {
		if event.Reason == writer.ReasonStoodDown {
			recorded++
			expect.Equal(t, "event", "Warning: another writer decides on the condition BaselineScopesValid of this MCPExternalAuthConfig (reason AllGood): scopegate leaves it alone", event.Type+": "+event.Note)
		}
	}
	return recorded
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
		return standDowns(t, namespace) == 1, nil
	})
	for i, edit := range []string{`["root"]`, `null`} {
		cluster.Patch(t, config, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":`+edit+`}}}`)
		// The manager works, and has seen the edit before this one.
		cluster.Patch(t, neighbour, fmt.Sprintf(`{"spec":{"embeddedAuthServer":{"issuer":"https://%d.example.com"}}}`, i))
		await(t, neighbour, "is evaluated", func(c metav1.Condition) bool { return c.ObservedGeneration == int64(i+2) })
		cluster.Get(t, config)
		expect.Equal(t, "the foreign condition", foreign.Reason, testenv.Valid(config).Reason)
	}
	expect.Equal(t, "events", 1, standDowns(t, namespace))
	writeAll(t, config)
	testenv.AwaitValid(t, cluster, config, supported)
}

// TestALateWriteIsNoError writes by older versions of an object, and by one that is gone.
func TestALateWriteIsNoError(t *testing.T) {
	config := sample.Config(cluster.Namespace(t), "shared", "admin")
	cluster.Create(t, config)
	guarded, err := client.New(cluster.ManagerConfig(), client.Options{Scheme: operator.Scheme})
	expect.NoError(t, err)
	w := writer.New(guarded, func(client.Object, *metav1.Condition) { t.Error("it stands down") })
	created := config.DeepCopy()
	write := func(what string, object kinds.Object, want bool, conditions ...metav1.Condition) {
		wrote, err := w.Write(t.Context(), object, conditions)
		expect.NoError(t, err)
		expect.Equal(t, what, want, wrote)
	}
	ours := condition("BaselineScopesValid", "BaselineScopesSupported")
	write("first", config, true, ours)
	write("late", created, false, ours)
	cluster.Get(t, config)
	written := config.DeepCopy()
	write("removed", config, true)
	write("removed twice", written, false)
	cluster.Delete(t, config)
	testenv.AwaitGone(t, cluster.Client, config)
	write("gone", created, false, ours)
	write("removed when gone", written, false)
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
	// A user may edit fast for a while.
	if !errors.Is(err, writer.ErrTooOften) || writes < 20 {
		t.Errorf("got %v after %d writes, want that they are too many at some time", err, writes)
	}
	if wrote, err := limited.Write(t.Context(), neighbour, ours); !wrote || err != nil {
		t.Errorf("the neighbour: wrote %t, error %v", wrote, err)
	}
	limited.Forget(client.ObjectKeyFromObject(config))
	if wrote, err := limited.Write(t.Context(), config, ours); !wrote || err != nil {
		t.Errorf("after it was forgotten: wrote %t, error %v", wrote, err)
	}
}
