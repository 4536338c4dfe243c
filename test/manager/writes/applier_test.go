package writes_test

import (
	"context"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// checkedWith returns a checked pair of an MCPServer.
func checkedWith(t *testing.T, server *v1beta1.MCPServer, baseline ...string) rollout.Checked {
	t.Helper()
	checked, hold := rollout.Check(testenv.Pair(server, testenv.Config(server.Namespace, "shared", baseline...)), true)
	if hold != nil {
		t.Fatalf("held for %s: %s", hold.Reason, hold.Message)
	}
	return checked
}

// racing is a live reader after whose first answer something happens.
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
	owner := testenv.Server(namespace, "web", v1alpha1.AuthReferences{})
	cluster.Create(t, owner)
	asked := testenv.Server(namespace, "web", testenv.AuthServerRef("shared"))
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
