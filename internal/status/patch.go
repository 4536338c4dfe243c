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
	"github.com/scopegate/scopegate/internal/kinds"
)

// FieldManager is the field manager of standalone mode. The guard has one of its own.
const FieldManager = "scopegate"

// MutateAndPatchStatus writes the changes that mutate makes to an object's status,
// and reports whether it wrote. The contract:
//
//   - cached comes from a Get from the cache in this reconcile, never from a List or
//     an earlier attempt. MutateAndPatchStatus does not modify it.
//   - mutate sets all conditions, as their only owner. No other writer may change that
//     array, because a merge patch replaces the whole array.
//   - The request is a single JSON merge patch (RFC 7386) of the status subresource,
//     with only the fields that mutate changed.
//   - If mutate changes nothing, there is no request.
//   - The API server accepts the patch only for the version that was read. So a change
//     is written once, even if the cache lags behind this write or another one. The
//     event of the newer version triggers the next reconcile, so a reconciler must not
//     filter the status events of its own kind.
//
// It returns the API server's error unwrapped, so that callers can identify it. It is
// not an error if the object is gone or is newer than cached.
func MutateAndPatchStatus(ctx context.Context, writer client.Client, cached kinds.Object, mutate func(*v1alpha1.Status)) (bool, error) {
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
	// The response is not needed, so ask only for the metadata, the smallest
	// response.
	target := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: cached.GetNamespace(), Name: cached.GetName()}}
	target.SetGroupVersionKind(gvk)
	err = writer.Status().Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return false, nil
	}
	return err == nil, err
}

// mergePatch returns the patch from before to after for a version of an object.
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
