package status_test

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

func TestSet(t *testing.T) {
	earlier := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	condition := func(conditionType string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: conditionType, Status: status, Reason: reason}
	}
	stored := func(c metav1.Condition, generation int64) metav1.Condition {
		c.LastTransitionTime, c.ObservedGeneration = earlier, generation
		return c
	}
	got := v1alpha1.Status{ObservedGeneration: 1, Conditions: []metav1.Condition{
		stored(condition("Valid", "True", "SomebodyElses"), 1),
		stored(condition("Ready", "False", "RollingOut"), 1),
		stored(condition("Stalled", "True", "Old"), 1),
	}}
	status.Set(&got, 2, condition("Ready", "False", "ConfigNotFound"), condition("BaselineScopesValid", "Unknown", "ScopesNotResolved"))

	added := &got.Conditions[1]
	if time.Since(added.LastTransitionTime.Time) > time.Minute {
		t.Errorf("the time of a new condition is %v", added.LastTransitionTime)
	}
	added.LastTransitionTime = earlier
	// Ready kept its status, and so its time.
	expect.Equal(t, "status", v1alpha1.Status{ObservedGeneration: 2, Conditions: []metav1.Condition{
		stored(condition("Ready", "False", "ConfigNotFound"), 2), stored(condition("BaselineScopesValid", "Unknown", "ScopesNotResolved"), 2),
	}}, got)

	status.Set(&got, 3)
	expect.Equal(t, "with no conditions", v1alpha1.Status{ObservedGeneration: 3}, got)
}

// TestAPatchHasEveryField fails when a field is added to Status: mergePatch must
// send it.
func TestAPatchHasEveryField(t *testing.T) {
	var fields []string
	for field := range reflect.TypeFor[v1alpha1.Status]().Fields() {
		fields = append(fields, field.Name)
	}
	expect.Equal(t, "fields of a status", []string{"Conditions", "ObservedGeneration"}, fields)
}
