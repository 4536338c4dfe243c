package controller

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// empty is a cache without objects.
type empty struct{ client.Reader }

func (empty) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// forgetting notes which objects are forgotten.
type forgetting struct{ keys []client.ObjectKey }

func (*forgetting) Write(context.Context, kinds.Object, []metav1.Condition) (bool, error) {
	return false, nil
}

func (f *forgetting) Forget(key client.ObjectKey) { f.keys = append(f.keys, key) }

// TestGoneIsForgotten reconciles objects that no longer exist.
func TestGoneIsForgotten(t *testing.T) {
	key := client.ObjectKey{Namespace: "ns", Name: "gone"}
	conditions := &forgetting{}
	l, w := lookup{Reader: empty{}}, writer{conditions: conditions}
	for _, reconciler := range []reconcile.Reconciler{&configReconciler{l, w}, &guardConsumerReconciler{l, w, kinds.Consumers[0]}} {
		_, err := reconciler.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
		expect.NoError(t, err)
	}
	expect.Equal(t, "forgotten", []client.ObjectKey{key, key}, conditions.keys)
}
