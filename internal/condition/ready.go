package condition

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/kinds"
)

// Held returns the conditions of a held rollout. stalled is true if only a user's edit
// can help.
func Held(reason, why string, stalled bool) []metav1.Condition {
	text := "rollout held: " + why
	conditions := []metav1.Condition{ready(metav1.ConditionFalse, reason, text)}
	if stalled {
		conditions = append(conditions, metav1.Condition{
			Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: reason, Message: Clip(text),
		})
	}
	return conditions
}

// RolloutProgress returns the conditions of a rollout that is in progress or done.
func RolloutProgress(done bool, text string) []metav1.Condition {
	if done {
		return []metav1.Condition{ready(metav1.ConditionTrue, v1alpha1.ReasonRolledOut, text)}
	}
	return []metav1.Condition{ready(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, text)}
}

// RolloutFailed returns the conditions of a rollout that the API server rejected.
func RolloutFailed(err error) []metav1.Condition {
	return []metav1.Condition{ready(metav1.ConditionFalse, v1alpha1.ReasonRolloutFailed, "retrying: "+err.Error())}
}

// StoredRollout returns the stored conditions of the rollout.
func StoredRollout(object kinds.Object) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(object.GetStatus().Conditions), func(condition metav1.Condition) bool {
		return condition.Type != v1alpha1.ConditionReady && condition.Type != v1alpha1.ConditionStalled
	})
}

func ready(state metav1.ConditionStatus, reason, text string) metav1.Condition {
	return metav1.Condition{Type: v1alpha1.ConditionReady, Status: state, Reason: reason, Message: Clip(text)}
}
