// Package writer writes one condition into a list that ToolHive's operator owns. It
// leaves a condition alone that another writer decides on.
package writer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/kinds"
)

// FieldManager is the field manager of the guard's writes.
const FieldManager = "scopegate-guard"

// Type is the type of the condition.
const Type = v1alpha1.ConditionBaselineScopesValid

// ReasonStoodDown is the reason of the event on an object whose condition another
// writer decides on.
const ReasonStoodDown = "GuardStoodDown"

// Another writer that uses scopegate's reasons would answer each write without end. So
// an object is written at most once a second, after a burst for users who edit fast.
const (
	writesPerSecond = 1
	burst           = 100
)

// ErrTooOften means that an object was written too often.
var ErrTooOften = errors.New("another writer replaces the condition " + Type + " again and again")

// Foreign reports whether a condition has a reason that scopegate does not use.
// Another writer decides on it then, as a future ToolHive release may do.
func Foreign(condition *metav1.Condition) bool {
	return condition != nil && !slices.Contains([]string{
		v1alpha1.ReasonBaselineScopesSupported, v1alpha1.ReasonBaselineScopeNotSupported,
		v1alpha1.ReasonScopesNotResolved, v1alpha1.ReasonNotReferenced,
	}, condition.Reason)
}

// Writer writes the condition of objects of one kind.
type Writer struct {
	client client.Client
	report func(object client.Object, found *metav1.Condition)
	// By key: the limiters of the objects that were written, and the objects with a
	// foreign condition that were reported.
	limiters, foreign sync.Map
}

// New returns a Writer. It calls report when it finds that another writer decides on
// the condition of an object, and again only if scopegate has written it in between.
func New(c client.Client, report func(object client.Object, found *metav1.Condition)) *Writer {
	return &Writer{client: c, report: report}
}

// Forget drops the state of an object that no longer exists.
func (w *Writer) Forget(key client.ObjectKey) {
	w.limiters.Delete(key)
	w.foreign.Delete(key)
}

// Write sets the condition of object and reports whether it wrote. conditions
// hold that condition, or nothing if it must be absent. object comes from the
// cache. Write leaves a condition with a foreign reason alone. It returns
// ErrTooOften if it has written the object too often.
//
// Write uses server-side apply for this condition only; it neither reads nor
// writes others. It forces ownership, because ToolHive's operator writes back the
// whole list and so becomes an owner of a condition that it never decided. Such a
// list may be older than the condition; its event triggers the next reconcile,
// which repairs it. The API server rejects a write that is based on an older
// version of the object. That is not an error: the newer version has its own
// event.
func (w *Writer) Write(ctx context.Context, object kinds.Object, conditions []metav1.Condition) (bool, error) {
	key := client.ObjectKeyFromObject(object)
	old := meta.FindStatusCondition(object.GetStatus().Conditions, Type)
	if Foreign(old) {
		if _, reported := w.foreign.LoadOrStore(key, true); !reported {
			w.report(object, old)
		}
		return false, nil
	}
	w.foreign.Delete(key)
	wanted, changed := meta.FindStatusCondition(conditions, Type).DeepCopy(), old != nil
	if wanted != nil {
		wanted.ObservedGeneration = object.GetGeneration()
		// It sets the transition time if the status changes.
		all := slices.Clone(object.GetStatus().Conditions)
		changed = meta.SetStatusCondition(&all, *wanted)
		wanted = meta.FindStatusCondition(all, Type)
		if wanted.LastTransitionTime.IsZero() {
			// The stored one is a time that the API server admits, and Go does not read.
			wanted.LastTransitionTime = metav1.Now()
		}
	}
	if !changed {
		return false, nil
	}
	limiter, _ := w.limiters.LoadOrStore(key, rate.NewLimiter(writesPerSecond, burst))
	if !limiter.(*rate.Limiter).Allow() {
		return false, ErrTooOften
	}
	if wanted == nil {
		return Remove(ctx, w.client, object)
	}
	gvk, err := w.client.GroupVersionKindFor(object)
	if err != nil {
		return false, fmt.Errorf("finding the kind of %T: %w", object, err)
	}
	body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(wanted)
	if err != nil {
		return false, fmt.Errorf("encoding the condition: %w", err)
	}
	patch := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": []any{body}}}}
	patch.SetGroupVersionKind(gvk)
	patch.SetNamespace(object.GetNamespace())
	patch.SetName(object.GetName())
	// Forced ownership does not override this check. It also rejects a write to a
	// new object with the same name.
	patch.SetResourceVersion(object.GetResourceVersion())
	err = w.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(patch), client.FieldOwner(FieldManager), client.ForceOwnership)
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsConflict(err):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

// Remove removes the condition from the list, whoever owns it, and reports
// whether it was there. An apply without the condition would keep one that
// ToolHive's operator has written back. The API server rejects the patch if the
// list differs from that of object. That is not an error: the change has its own
// event.
func Remove(ctx context.Context, writer client.Client, object kinds.Object) (bool, error) {
	index := slices.IndexFunc(object.GetStatus().Conditions, func(c metav1.Condition) bool { return c.Type == Type })
	if index < 0 {
		return false, nil
	}
	patch := fmt.Appendf(nil, `[
		{"op": "test", "path": "/metadata/uid", "value": %[1]q},
		{"op": "test", "path": "/status/conditions/%[2]d/type", "value": %[3]q},
		{"op": "remove", "path": "/status/conditions/%[2]d"}
	]`, object.GetUID(), index, Type)
	target := object.DeepCopyObject().(client.Object)
	err := writer.Status().Patch(ctx, target, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(FieldManager))
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return false, nil
	}
	return err == nil, err
}
