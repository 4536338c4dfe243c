package writes_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// managerOnWire returns a client with the manager's rights whose writes are
// kept. No manager runs.
func managerOnWire(t *testing.T) (client.Client, *wire) {
	t.Helper()
	wire, cfg := &wire{}, cluster.ManagerConfig()
	wire.wrap(cfg)
	c, err := client.New(cfg, client.Options{Scheme: operator.Scheme})
	expect.NoError(t, err)
	return c, wire
}

// evaluated returns an object with a status, as a cache would hold it.
func evaluated(t *testing.T) *v1beta1.MCPExternalAuthConfig {
	t.Helper()
	config := sample.Config(cluster.Namespace(t), "shared", "openid")
	cluster.Create(t, config)
	status.Set(&config.Status, 1, condition("Unknown", "NotReferenced"))
	expect.NoError(t, cluster.Client.Status().Update(t.Context(), config))
	return config
}

func condition(status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: v1alpha1.ConditionBaselineScopesValid, Status: status, Reason: reason}
}

// TestMutateAndPatchStatus checks the contract in the function's doc comment,
// on the wire.
func TestMutateAndPatchStatus(t *testing.T) {
	c, wire := managerOnWire(t)
	cached := evaluated(t)
	original := cached.DeepCopy()
	path := fmt.Sprintf("PATCH /apis/toolhive.stacklok.dev/v1beta1/namespaces/%s/mcpexternalauthconfigs/shared/status application/merge-patch+json ", cached.Namespace)
	wire.take()

	changed, err := status.MutateAndPatchStatus(t.Context(), c, cached, func(s *v1alpha1.Status) {
		status.Set(s, 1, condition("Unknown", "NotReferenced"))
	})
	if sent := wire.take("P", "GET /apis/toolhive"); err != nil || changed || len(sent) != 0 {
		t.Errorf("no change gives changed %v, error %v, and sends %v", changed, err, sent)
	}

	changed, err = status.MutateAndPatchStatus(t.Context(), c, cached, func(s *v1alpha1.Status) { s.ObservedGeneration = 7 })
	want := path + `{"metadata":{"resourceVersion":"` + cached.ResourceVersion + `"},"status":{"observedGeneration":7}}`
	if diff := cmp.Diff([]string{want}, wire.take("P", "GET /apis/toolhive")); err != nil || !changed || diff != "" {
		t.Errorf("a change of one field: changed %v, error %v, sent (-want +got):\n%s", changed, err, diff)
	}

	seen := cached.DeepCopy()
	cluster.Get(t, seen)
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	changed, err = status.MutateAndPatchStatus(t.Context(), c, seen, func(s *v1alpha1.Status) {
		s.Conditions = []metav1.Condition{{Type: "Ready", Status: "True", Reason: "Test", LastTransitionTime: at}}
	})
	want = path + `{"metadata":{"resourceVersion":"` + seen.ResourceVersion + `"},"status":{"conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-01-02T03:04:05Z","reason":"Test","message":""}]}}`
	if diff := cmp.Diff([]string{want}, wire.take("P", "GET /apis/toolhive")); err != nil || !changed || diff != "" {
		t.Errorf("a change of conditions replaces them whole: changed %v, error %v, sent (-want +got):\n%s", changed, err, diff)
	}

	expect.Equal(t, "the object of the cache was changed", original, cached)
}

// TestAnotherWriterSurvives writes another field of the status between the read
// and the patch. The patch must change nothing, and must succeed after the next
// read.
func TestAnotherWriterSurvives(t *testing.T) {
	c, _ := managerOnWire(t)
	cached := evaluated(t)
	other := cached.DeepCopy()
	other.Status.ObservedGeneration = 42
	expect.NoError(t, cluster.Client.Status().Update(t.Context(), other))
	patched := func(seen *v1beta1.MCPExternalAuthConfig, want bool) {
		t.Helper()
		changed, err := status.MutateAndPatchStatus(t.Context(), c, seen, func(s *v1alpha1.Status) { s.Conditions[0].Reason = "Patched" })
		if err != nil || changed != want {
			t.Errorf("changed %v, error %v, want changed %v", changed, err, want)
		}
	}
	patched(cached, false)
	got := cached.DeepCopy()
	if cluster.Get(t, got); got.ResourceVersion != other.ResourceVersion {
		t.Errorf("a stale patch was accepted: %+v", got.Status)
	}
	patched(got, true)
	if cluster.Get(t, got); got.Status.ObservedGeneration != 42 || got.Status.Conditions[0].Reason != "Patched" {
		t.Errorf("stored %+v, want the other's observedGeneration 42 and the reason Patched", got.Status)
	}
}

// TestErrorsAreTheServers distinguishes a rejected patch from an object that is gone.
func TestErrorsAreTheServers(t *testing.T) {
	c, _ := managerOnWire(t)
	cached := evaluated(t)
	_, err := status.MutateAndPatchStatus(t.Context(), c, cached, func(s *v1alpha1.Status) { s.Conditions[0].Reason = "not a reason" })
	expect.Error(t, err, "status.conditions[0].reason")
	cluster.Delete(t, cached.DeepCopy())
	changed, err := status.MutateAndPatchStatus(t.Context(), c, cached, func(s *v1alpha1.Status) { s.ObservedGeneration = 9 })
	if err != nil || changed {
		t.Errorf("an object that is gone gives changed %v, error %v", changed, err)
	}
}

// TestAWrongStatusHeals writes a wrong status beside a running manager, as a
// reconcile with a stale lookup may do. The event of that write makes the
// manager repair it.
func TestAWrongStatusHeals(t *testing.T) {
	config := evaluated(t)
	cluster.StartStandalone(t, nil)
	c, _ := managerOnWire(t)
	isRight := func(config *v1beta1.MCPExternalAuthConfig) bool {
		valid := testenv.Valid(config)
		return valid.Reason == "NotReferenced" && valid.Message != ""
	}
	seen := testenv.Await(t, cluster.Client, config, "is evaluated", isRight)
	if _, err := status.MutateAndPatchStatus(t.Context(), c, seen, func(s *v1alpha1.Status) {
		status.Set(s, 0, condition("True", "Stale"))
	}); err != nil {
		t.Fatal(err)
	}
	testenv.Await(t, cluster.Client, seen, "is repaired", func(config *v1beta1.MCPExternalAuthConfig) bool {
		return isRight(config) && config.ResourceVersion != seen.ResourceVersion && config.Status.ObservedGeneration == 1
	})
}

func checkedWith(t *testing.T, server *v1beta1.MCPServer, baseline ...string) rollout.Checked {
	t.Helper()
	checked, hold := rollout.Check(sample.Pair(server, sample.Config(server.Namespace, "shared", baseline...)), true)
	if hold != nil {
		t.Fatalf("held for %s: %s", hold.Reason, hold.Message)
	}
	return checked
}

// racing is a live reader. Something happens after its first answer.
type racing struct {
	client.Reader
	once sync.Once
	then func()
}

func (r *racing) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	err := r.Reader.Get(ctx, key, object, options...)
	r.once.Do(r.then)
	return err
}

// TestAWriteIsBoundToWhatWasRead replaces a child by somebody else's object of
// the same name between the last read and the write: a forced apply without
// the uid would take it over. No manager runs.
func TestAWriteIsBoundToWhatWasRead(t *testing.T) {
	namespace := cluster.Namespace(t)
	owner := sample.Server(namespace, "web", v1alpha1.AuthReferences{})
	cluster.Create(t, owner)
	asked := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	consumer, _ := resolve.ConsumerOf(asked)
	name := rollout.ChildName(consumer)
	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "theirs"}, Ports: []corev1.ServicePort{{Name: "theirs", Port: 80}},
	}}
	ours := &corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, v1beta1.GroupVersion.WithKind("MCPServer"))},
	}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "theirs", Port: 80}}}}

	manager, _ := managerOnWire(t)
	cluster.Create(t, ours)
	live := &racing{Reader: manager, then: func() {
		if err := cluster.Client.Delete(t.Context(), ours.DeepCopy()); err != nil {
			t.Error(err)
		}
		testenv.AwaitGone(t, cluster.Client, ours.DeepCopy())
		cluster.Create(t, theirs)
	}}
	applier := &rollout.Applier{Client: manager, Live: live, Image: "x"}
	if _, err := applier.Apply(t.Context(), owner, checkedWith(t, asked)); err == nil {
		t.Error("the apply succeeded over somebody else's Service")
	}
	after := &corev1.Service{}
	expect.NoError(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(theirs), after))
	if after.ResourceVersion != theirs.ResourceVersion {
		t.Errorf("somebody else's Service was written: %+v", after.ManagedFields)
	}
}
