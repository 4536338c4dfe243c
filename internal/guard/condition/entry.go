// Package condition keeps one entry in a list of conditions that ToolHive's
// operator owns, and gives way to whoever else writes that entry.
package condition

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/status"
)

// FieldManager is the name under which the guard's writes are recorded.
const FieldManager = "scopegate-guard"

// Type is the condition that is kept.
const Type = v1alpha1.ConditionBaselineScopesValid

// Keeper writes the entry.
type Keeper struct {
	Client client.Client
	Rivals *Rivals
}

// Write makes the entry of object say what conditions do, which hold that one
// condition or none, and tells whether there was anything to write. object is
// what the cache holds.
//
// What is sent is a server-side apply of the one entry: no other condition is
// read or written. It is forced, because ToolHive's operator writes back the
// whole list and so becomes an owner of what it never decided. Such a list may
// be older than what stands there; the event of that write repairs it. And it
// is refused, which is not an error, where there is a newer version of object
// than the cache holds: that version has an event of its own.
func (k *Keeper) Write(ctx context.Context, object status.Object, conditions []metav1.Condition) (bool, error) {
	gvk, err := k.Client.GroupVersionKindFor(object)
	if err != nil {
		return false, fmt.Errorf("finding the kind of %T: %w", object, err)
	}
	old := meta.FindStatusCondition(object.GetStatus().Conditions, Type)
	wanted := entry(object, old, conditions)
	if k.Rivals.Yield(ctx, gvk.Kind, object, old, wanted) {
		return false, nil
	}
	if equality.Semantic.DeepEqual(old, wanted) {
		return false, nil
	}
	if wanted == nil {
		removed, err := Remove(ctx, k.Client, object)
		if removed {
			k.Rivals.Wrote(gvk.Kind, object, nil)
		}
		return removed, err
	}
	body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(wanted)
	if err != nil {
		return false, fmt.Errorf("encoding the condition: %w", err)
	}
	patch := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": []any{body}}}}
	patch.SetGroupVersionKind(gvk)
	patch.SetNamespace(object.GetNamespace())
	patch.SetName(object.GetName())
	// Forced ownership does not override this. It keeps off a namesake too.
	patch.SetResourceVersion(object.GetResourceVersion())
	k.Rivals.Writes(gvk.Kind, object, wanted)
	err = k.Client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(patch), client.FieldOwner(FieldManager), client.ForceOwnership)
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsConflict(err):
		return false, nil
	case err != nil:
		return false, err
	}
	k.Rivals.Wrote(gvk.Kind, object, wanted)
	return true, nil
}

// entry completes the condition that is wanted, if any. The time of one that
// keeps its status is kept.
func entry(object status.Object, old *metav1.Condition, conditions []metav1.Condition) *metav1.Condition {
	wanted := meta.FindStatusCondition(conditions, Type)
	if wanted == nil {
		return nil
	}
	wanted = wanted.DeepCopy()
	wanted.ObservedGeneration = object.GetGeneration()
	switch {
	case old != nil && old.Status == wanted.Status:
		wanted.LastTransitionTime = old.LastTransitionTime
	case wanted.LastTransitionTime.IsZero():
		wanted.LastTransitionTime = metav1.Now().Rfc3339Copy()
	}
	return wanted
}

// Remove takes the entry out of the list, whoever owns it, and tells whether it
// was there. An apply without the entry would leave one that ToolHive's
// operator has written back. The patch is refused, which is not an error, where
// the list is another than object's: then that change has an event of its own.
func Remove(ctx context.Context, writer client.Client, object status.Object) (bool, error) {
	index := slices.IndexFunc(object.GetStatus().Conditions, func(c metav1.Condition) bool { return c.Type == Type })
	if index < 0 {
		return false, nil
	}
	path := fmt.Sprintf("/status/conditions/%d", index)
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": object.GetUID()},
		{"op": "test", "path": path + "/type", "value": Type},
		{"op": "remove", "path": path},
	})
	if err != nil {
		return false, fmt.Errorf("encoding the removal of the condition: %w", err)
	}
	gvk, err := writer.GroupVersionKindFor(object)
	if err != nil {
		return false, fmt.Errorf("finding the kind of %T: %w", object, err)
	}
	target := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: object.GetName()}}
	target.SetGroupVersionKind(gvk)
	err = writer.Status().Patch(ctx, target, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(FieldManager))
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return false, nil
	}
	return err == nil, err
}

// Forget drops what is known of an object that is gone.
func (k *Keeper) Forget(kind string, key client.ObjectKey) { k.Rivals.Forget(kind, key) }
