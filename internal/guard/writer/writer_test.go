package writer_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard/writer"
)

// TestForeign checks which reasons are another writer's, and that such a condition is
// reported once each time that it comes. The writer has no client: it sends nothing.
// compat/manager has the rest, on a real API server.
func TestForeign(t *testing.T) {
	for reason, want := range map[string]bool{
		v1alpha1.ReasonBaselineScopesSupported: false, v1alpha1.ReasonBaselineScopeNotSupported: false,
		v1alpha1.ReasonScopesNotResolved: false, v1alpha1.ReasonNotReferenced: false,
		"AllGood": true, "": true,
	} {
		if got := writer.Foreign(&metav1.Condition{Type: writer.Type, Reason: reason}); got != want {
			t.Errorf("reason %q: foreign is %t", reason, got)
		}
	}
	if writer.Foreign(nil) {
		t.Error("no condition is foreign")
	}

	reports := 0
	w := writer.New(nil, func(client.Object, *metav1.Condition) { reports++ })
	object := &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web"}}
	foreign := []metav1.Condition{{Type: writer.Type, Reason: "AllGood"}}
	object.Status.Conditions = foreign
	write := func(want int) {
		t.Helper()
		wrote, err := w.Write(t.Context(), object, nil)
		if wrote || err != nil || reports != want {
			t.Errorf("wrote %t, error %v, %d reports, want %d", wrote, err, reports, want)
		}
	}
	write(1)
	write(1)
	w.Forget(client.ObjectKeyFromObject(object))
	write(2)
	// It is another object, of another tenant.
	object.Namespace = "m"
	write(3)
	object.Namespace = "n"
	// The other writer goes, and comes back.
	object.Status.Conditions = nil
	write(3)
	object.Status.Conditions = foreign
	write(4)
}
