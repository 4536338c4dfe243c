package testenv

import (
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// Create stores objects.
func (c *Cluster) Create(t testing.TB, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := c.Client.Create(t.Context(), object); err != nil {
			t.Fatalf("creating %T %s: %v", object, object.GetName(), err)
		}
	}
}

// Delete deletes objects.
func (c *Cluster) Delete(t testing.TB, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := c.Client.Delete(t.Context(), object); err != nil {
			t.Fatalf("deleting %T %s: %v", object, object.GetName(), err)
		}
	}
}

// Get reads an object as it is stored now.
func (c *Cluster) Get(t testing.TB, object client.Object) {
	t.Helper()
	key := client.ObjectKeyFromObject(object)
	if _, untyped := object.(runtime.Unstructured); !untyped {
		// The decoder keeps fields that the answer lacks.
		reflect.ValueOf(object).Elem().SetZero()
	}
	expect.NoError(t, c.Client.Get(t.Context(), key, object))
}

// Patch sends a merge patch of an object.
func (c *Cluster) Patch(t testing.TB, object client.Object, patch string) {
	t.Helper()
	expect.NoError(t, c.Client.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// Edit changes an object by a merge patch, as a user does.
func Edit[T client.Object](t testing.TB, c *Cluster, object T, change func(T)) {
	t.Helper()
	before := object.DeepCopyObject().(client.Object)
	change(object)
	if err := c.Client.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatalf("editing %T %s: %v", object, object.GetName(), err)
	}
}

// Valid returns the condition BaselineScopesValid of an object, or an empty one.
func Valid(object kinds.Object) metav1.Condition {
	return Condition(object.GetStatus().Conditions, v1alpha1.ConditionBaselineScopesValid)
}

// AwaitValid waits until the condition BaselineScopesValid of an object is as wanted:
// "STATUS" or "STATUS Reason".
func AwaitValid[T kinds.Object](t testing.TB, c *Cluster, object T, want string) T {
	t.Helper()
	return Await(t, c.Client, object, "says "+want, func(seen T) bool {
		valid := Valid(seen)
		return string(valid.Status) == want || string(valid.Status)+" "+valid.Reason == want
	})
}
