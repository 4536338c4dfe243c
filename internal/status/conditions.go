package status

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// Set sets the conditions of status to exactly the given ones, for the given
// generation. A condition whose status does not change keeps its transition time.
func Set(status *v1alpha1.Status, generation int64, conditions ...metav1.Condition) {
	status.ObservedGeneration = generation
	status.Conditions = slices.DeleteFunc(status.Conditions, func(old metav1.Condition) bool {
		return !slices.ContainsFunc(conditions, func(c metav1.Condition) bool { return c.Type == old.Type })
	})
	for _, condition := range conditions {
		condition.ObservedGeneration = generation
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	if len(status.Conditions) == 0 {
		status.Conditions = nil
	}
}
