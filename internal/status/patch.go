package status

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// FieldManager is the name under which every write of scopegate is recorded.
const FieldManager = "scopegate"

// Object is a kind whose status scopegate writes.
type Object interface {
	client.Object
	GetStatus() *v1alpha1.Status
}

// MutateAndPatchStatus writes what mutate changes of an object's status, and
// reports whether there was anything to write. The contract:
//
//   - cached was read in this reconcile, by a Get from the cache: never from a
//     List, never kept from an earlier attempt. It is not changed.
//   - mutate decides the whole of conditions: its writer is their sole owner. No
//     other writer may touch that array, for a merge patch replaces it whole.
//   - What is sent is one JSON merge patch (RFC 7386) of the status subresource
//     with the fields that mutate changed and no others.
//   - When mutate changes nothing, nothing is sent.
//   - The API server takes the patch only for the version that was read. So a
//     change is written once, however long the cache shows the object as it was
//     before that write, or before somebody else's. The event that the cache
//     then delivers makes the next reconcile. That is why a reconciler must not
//     filter the status events of its own kind.
//
// An error is the API server's, unwrapped so that callers can tell which; that
// of an object that is gone or newer than cached is not an error.
func MutateAndPatchStatus(ctx context.Context, writer client.Client, cached Object, mutate func(*v1alpha1.Status)) (bool, error) {
	before := cached.GetStatus()
	after := before.DeepCopy()
	mutate(after)
	if equality.Semantic.DeepEqual(before, after) {
		return false, nil
	}
	patch, err := mergePatch(cached.GetResourceVersion(), before, after)
	if err != nil {
		return false, err
	}
	gvk, err := writer.GroupVersionKindFor(cached)
	if err != nil {
		return false, fmt.Errorf("finding the kind of %T: %w", cached, err)
	}
	// The answer is not read: the metadata of the object is the least that the
	// API server can be asked for.
	target := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: cached.GetNamespace(), Name: cached.GetName()}}
	target.SetGroupVersionKind(gvk)
	err = writer.Status().Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return false, nil
	}
	return err == nil, err
}

// mergePatch changes before to after in that version of an object.
func mergePatch(version string, before, after *v1alpha1.Status) ([]byte, error) {
	change := map[string]any{}
	if !equality.Semantic.DeepEqual(before.Conditions, after.Conditions) {
		change["conditions"] = after.Conditions
	}
	if before.ObservedGeneration != after.ObservedGeneration {
		change["observedGeneration"] = after.ObservedGeneration
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]string{"resourceVersion": version}, "status": change})
	if err != nil {
		return nil, fmt.Errorf("encoding the patch: %w", err)
	}
	return patch, nil
}
