package status_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

	var types []string
	for _, c := range got.Conditions {
		types = append(types, c.Type)
		if c.ObservedGeneration != 2 {
			t.Errorf("%s has observedGeneration %d, want 2", c.Type, c.ObservedGeneration)
		}
	}
	if diff := cmp.Diff([]string{"Ready", "BaselineScopesValid"}, types); diff != "" || got.ObservedGeneration != 2 {
		t.Errorf("conditions of generation %d (-want +got):\n%s", got.ObservedGeneration, diff)
	}
	if ready := got.Conditions[0]; !ready.LastTransitionTime.Equal(&earlier) || ready.Reason != "ConfigNotFound" {
		t.Errorf("Ready kept its status, so its time must stay %v: %+v", earlier, ready)
	}

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
