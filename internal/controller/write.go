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
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/status"
)

// maxNoteBytes is the maximum size of an event's note.
const maxNoteBytes = 1024

// conditionWriter writes the conditions of an object, in a way that depends on
// the mode.
type conditionWriter interface {
	// Write sets the conditions of object and reports whether it wrote. It writes
	// only if object, which comes from the cache, is still the version in the API
	// server, so that each transition is written once.
	Write(ctx context.Context, object kinds.Object, conditions []metav1.Condition) (bool, error)
	// Forget drops the state of an object that no longer exists.
	Forget(key client.ObjectKey)
}

// statusWriter writes the whole status: in standalone mode it has no other
// writer.
type statusWriter struct{ client client.Client }

func (w statusWriter) Write(ctx context.Context, object kinds.Object, conditions []metav1.Condition) (bool, error) {
	return status.MutateAndPatchStatus(ctx, w.client, object, func(s *v1alpha1.Status) {
		status.Set(s, object.GetGeneration(), conditions...)
	})
}

func (statusWriter) Forget(client.ObjectKey) {}

// writer writes conditions, and then logs and records those that changed.
type writer struct {
	conditions conditionWriter
	recorder   events.EventRecorder
}

// change is a condition that changed, with the type of its event.
type change struct {
	eventType string
	*metav1.Condition
}

// write sets the conditions of object. After the write it logs one line and
// records one event for each transition. If several transitions have the same
// reason, only that of Ready gets an event. Each transition is reported once even
// if the cache lags and returns the old object again: see conditionWriter.
func (w writer) write(ctx context.Context, object kinds.Object, conditions []metav1.Condition) error {
	changed, err := w.conditions.Write(ctx, object, conditions)
	if err != nil {
		return fmt.Errorf("writing the status of %s: %w", client.ObjectKeyFromObject(object), err)
	}
	if !changed {
		return nil
	}
	stalled := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled)
	var changes []change
	for i := range conditions {
		condition := &conditions[i]
		old := meta.FindStatusCondition(object.GetStatus().Conditions, condition.Type)
		if eventType, report := transition(old, condition, stalled); report {
			// With the same reason, the message of Ready includes that of the
			// other condition and says that the rollout is held.
			same := slices.IndexFunc(changes, func(c change) bool { return c.Reason == condition.Reason })
			switch {
			case same < 0:
				changes = append(changes, change{eventType, condition})
			case condition.Type == v1alpha1.ConditionReady:
				changes[same] = change{eventType, condition}
			}
			// The logger of a reconcile names the object.
			log.FromContext(ctx).Info("condition changed", "condition", condition.Type, "status", condition.Status, "reason", condition.Reason)
		}
	}
	for _, c := range changes {
		w.recorder.Eventf(object, nil, c.eventType, c.Reason, c.Type, "%s", condition.ClipTo(c.Message, maxNoteBytes))
	}
	return nil
}

// gone forgets an object that was not found, or returns err.
func (w writer) gone(request reconcile.Request, err error) error {
	if err == nil {
		w.conditions.Forget(request.NamespacedName)
	}
	return err
}

// transition reports whether a condition's change gets an event, and of which
// type. Only a change of status or reason does. The first verdict gets an event
// only if it is bad. A condition is bad if a user must act or the API server
// rejected a write; waiting for an object that may still appear is not bad.
// Stalled repeats Ready.
func transition(old, updated *metav1.Condition, stalled bool) (string, bool) {
	if updated.Type == v1alpha1.ConditionStalled {
		return "", false
	}
	if old != nil && old.Status == updated.Status && old.Reason == updated.Reason {
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
