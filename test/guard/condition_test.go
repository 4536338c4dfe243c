package guard_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/internal/guard/writer"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// TestRemoveTakesItsOwnEntryAlone removes the condition by its place in a stale
// list, after ToolHive's operator has written another condition there.
func TestRemoveTakesItsOwnEntryAlone(t *testing.T) {
	server := sample.Server(cluster.Namespace(t), "web", sample.AuthServerRef("shared"))
	cluster.Create(t, server)
	own := metav1.Condition{Type: writer.Type, Status: metav1.ConditionTrue, Reason: "BaselineScopesSupported", LastTransitionTime: metav1.Now()}
	ready := metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready", LastTransitionTime: metav1.Now()}
	says := func(conditions ...metav1.Condition) {
		t.Helper()
		server.Status.Conditions = conditions
		expect.NoError(t, cluster.Client.Status().Update(t.Context(), server))
	}
	left := func(want ...string) {
		t.Helper()
		cluster.Get(t, server)
		var got []string
		for _, c := range server.Status.Conditions {
			got = append(got, c.Type)
		}
		if len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
			t.Errorf("the conditions are %v, want %v", got, want)
		}
	}

	says(own)
	lagging := server.DeepCopy()
	says(ready, own)
	if removed, err := writer.Remove(t.Context(), cluster.Client, lagging); removed || err != nil {
		t.Errorf("by a list from before, removed: %t, %v", removed, err)
	}
	left("Ready", writer.Type)
	namesake := server.DeepCopy()
	namesake.UID = "another"
	if removed, err := writer.Remove(t.Context(), cluster.Client, namesake); removed || err != nil {
		t.Errorf("by the list of a namesake, removed: %t, %v", removed, err)
	}
	left("Ready", writer.Type)
	if removed, err := writer.Remove(t.Context(), cluster.Client, server); !removed || err != nil {
		t.Errorf("by the list as it is, removed: %t, %v", removed, err)
	}
	left("Ready")
	says()
	if removed, err := writer.Remove(t.Context(), cluster.Client, lagging); removed || err != nil {
		t.Errorf("from an empty list, removed: %t, %v", removed, err)
	}
	left()
	expect.NoError(t, cluster.Client.Delete(t.Context(), server))
	if removed, err := writer.Remove(t.Context(), cluster.Client, lagging); removed || err != nil {
		t.Errorf("from an object that is gone, removed: %t, %v", removed, err)
	}
}
