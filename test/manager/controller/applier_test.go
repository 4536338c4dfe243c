package controller_test

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestRemoveAsksTheLiveObject lets a cache that lags say that the references
// are gone, while the object has them.
func TestRemoveAsksTheLiveObject(t *testing.T) {
	t.Parallel()
	server := rollingServer(t)
	before := fingerprint(t, server)
	lagging := server.DeepCopy()
	lagging.Spec.AuthReferences = v1alpha1.AuthReferences{}

	applier := &rollout.Applier{Client: cluster.Client, Live: cluster.Client}
	gone := func(object client.Object) bool {
		consumer, _ := resolve.ConsumerOf(object)
		return !consumer.References()
	}
	for what, owner := range map[string]*v1beta1.MCPServer{"a lagging cache": lagging, "an object of the same name": func() *v1beta1.MCPServer {
		other := lagging.DeepCopy()
		other.UID = "another"
		return other
	}()} {
		if err := applier.Remove(t.Context(), owner, childKey(server).Name, gone); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if after := fingerprint(t, server); len(after) != len(before) || after[0] != before[0] {
			t.Errorf("%s cost the children: %v, want %v", what, after, before)
		}
	}
}

// TestRemoveLeavesWhatIsSomebodyElsesByNow lets somebody take the children over
// between what the cache says and the deletion.
func TestRemoveLeavesWhatIsSomebodyElsesByNow(t *testing.T) {
	t.Parallel()
	server := rollingServer(t)
	children := []client.Object{&appsv1.Deployment{}, &corev1.Service{}}
	takeOver := func() {
		for _, child := range children {
			child.SetNamespace(server.Namespace)
			child.SetName(childKey(server).Name)
			cluster.Patch(t, child, `{"metadata":{"ownerReferences":null}}`)
		}
	}
	applier := &rollout.Applier{Client: cluster.Client, Live: readerAfter{cluster.Client, takeOver}}
	err := applier.Remove(t.Context(), server, childKey(server).Name, func(client.Object) bool { return true })
	if !apierrors.IsConflict(err) {
		t.Errorf("the deletion says %v, want a conflict", err)
	}
	for _, child := range children {
		uid := child.GetUID()
		if err := cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(child), child); err != nil || child.GetUID() != uid || child.GetDeletionTimestamp() != nil {
			t.Errorf("%T: it was somebody else's, and is not as it was: %v", child, err)
		}
	}
}

// readerAfter reads after something has happened.
type readerAfter struct {
	client.Reader
	happen func()
}

// Get implements client.Reader.
func (r readerAfter) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	r.happen()
	return r.Reader.Get(ctx, key, object, options...)
}

// TestAnUncheckedPairCanNotBeApplied holds that the zero value is no way round.
func TestAnUncheckedPairCanNotBeApplied(t *testing.T) {
	t.Parallel()
	server := testenv.Server(cluster.Namespace(t), "web", v1alpha1.AuthReferences{})
	cluster.Create(t, server)
	applier := &rollout.Applier{Client: cluster.Client, Live: cluster.Client}
	if _, err := applier.Apply(t.Context(), server, rollout.Checked{}); err == nil {
		t.Error("the zero value was applied")
	}
	err := cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(deploymentOf(server)), &appsv1.Deployment{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("a Deployment was made: %v", err)
	}
}
