package controller

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/status/words"
)

// maxNoteBytes is what the API server takes of an event's note.
const maxNoteBytes = 1024

// keeper writes conditions in the way of its mode.
type keeper interface {
	// Write makes object say conditions and tells whether it wrote. It writes only
	// if object, which comes from the cache, is what the API server still has: so
	// the change from what object says is made once.
	Write(ctx context.Context, object status.Object, conditions []metav1.Condition) (bool, error)
	// Forget drops what is known of an object that is gone.
	Forget(kind string, key client.ObjectKey)
}

// wholeStatus keeps the whole status: in whole mode nobody else writes it.
type wholeStatus struct{ client client.Client }

func (w wholeStatus) Write(ctx context.Context, object status.Object, conditions []metav1.Condition) (bool, error) {
	return status.MutateAndPatchStatus(ctx, w.client, object, func(s *v1alpha1.Status) {
		status.Set(s, object.GetGeneration(), conditions...)
	})
}

func (wholeStatus) Forget(string, client.ObjectKey) {}

// writer writes conditions, and then tells of those that changed.
type writer struct {
	keeper   keeper
	recorder events.EventRecorder
}

// tiding is a condition that changed, and the type of the event that tells of it.
type tiding struct {
	eventType string
	*metav1.Condition
}

// write makes object say conditions. One line of the log follows the write of each
// transition, and one event, but of several with the same reason only that of
// Ready; also where the cache lags and shows an object once more as it was before:
// see keeper.
func (w writer) write(ctx context.Context, object status.Object, conditions []metav1.Condition) error {
	changed, err := w.keeper.Write(ctx, object, conditions)
	if err != nil {
		return fmt.Errorf("writing the status of %s: %w", client.ObjectKeyFromObject(object), err)
	}
	if !changed {
		return nil
	}
	stalled := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled)
	var tidings []tiding
	for i := range conditions {
		condition := &conditions[i]
		old := meta.FindStatusCondition(object.GetStatus().Conditions, condition.Type)
		if eventType, told := transition(old, condition, stalled); told {
			// For the same reason Ready says what another condition says, and that a
			// rollout is held.
			same := slices.IndexFunc(tidings, func(t tiding) bool { return t.Reason == condition.Reason })
			switch {
			case same < 0:
				tidings = append(tidings, tiding{eventType, condition})
			case condition.Type == v1alpha1.ConditionReady:
				tidings[same] = tiding{eventType, condition}
			}
			// The logger of a reconcile names the object.
			log.FromContext(ctx).Info("condition changed", "condition", condition.Type, "status", condition.Status, "reason", condition.Reason)
		}
	}
	for _, t := range tidings {
		w.recorder.Eventf(object, nil, t.eventType, t.Reason, t.Type, "%s", words.ClipTo(t.Message, maxNoteBytes))
	}
	return nil
}

// gone forgets an object that could not be found, unless it is for an error,
// which it returns.
func (w writer) gone(kind string, request reconcile.Request, err error) error {
	if err == nil {
		w.keeper.Forget(kind, request.NamespacedName)
	}
	return err
}

// transition tells whether a condition's change is worth an event, and of which
// type. A change is one of status or reason, or that a
// rollout is held; the first judgement is told only
// if it is bad. Bad is what a user has to mend, or what the API server refused:
// waiting for an object that may yet appear is not. Stalled repeats what Ready
// says.
func transition(old, updated *metav1.Condition, stalled bool) (string, bool) {
	if updated.Type == v1alpha1.ConditionStalled {
		return "", false
	}
	if old != nil && old.Status == updated.Status && old.Reason == updated.Reason && words.IsHeld(old) == words.IsHeld(updated) {
		return "", false
	}
	bad := updated.Status == metav1.ConditionFalse
	if updated.Type == v1alpha1.ConditionReady {
		bad = bad && (stalled || updated.Reason == v1alpha1.ReasonRolloutFailed || updated.Reason == v1alpha1.ReasonNameConflict)
	}
	switch {
	case bad:
		return corev1.EventTypeWarning, true
	case old != nil:
		return corev1.EventTypeNormal, true
	default:
		return "", false
	}
}
