package status

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status/message"
)

// Held returns the conditions of a rollout that is not done. An empty why
// is that of a baseline which is not supported. stalled tells that only a user's
// edit can help.
func Held(pair resolve.Pair, reason, why string, stalled bool) []metav1.Condition {
	if why == "" {
		why = message.NotSupported(pair)
	}
	text := "rollout held: " + why
	conditions := []metav1.Condition{ready(metav1.ConditionFalse, reason, text)}
	if stalled {
		conditions = append(conditions, metav1.Condition{
			Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: reason, Message: message.Clip(text),
		})
	}
	return conditions
}

// RollingOut returns the conditions of a rollout that is under way or done.
func RollingOut(done bool, text string) []metav1.Condition {
	if done {
		return []metav1.Condition{ready(metav1.ConditionTrue, v1alpha1.ReasonRolledOut, text)}
	}
	return []metav1.Condition{ready(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, text)}
}

// RolloutFailed returns the conditions of a rollout that the API server refused.
func RolloutFailed(err error) []metav1.Condition {
	return []metav1.Condition{ready(metav1.ConditionFalse, v1alpha1.ReasonRolloutFailed, "trying again: "+err.Error())}
}

// Kept returns the conditions of a rollout as they were written last.
func Kept(object Object) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(object.GetStatus().Conditions), func(condition metav1.Condition) bool {
		return condition.Type != v1alpha1.ConditionReady && condition.Type != v1alpha1.ConditionStalled
	})
}

func ready(status metav1.ConditionStatus, reason, text string) metav1.Condition {
	return metav1.Condition{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: message.Clip(text)}
}
