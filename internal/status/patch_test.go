package status_test

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// TestMutateAndPatchStatus checks what the contract in the function's doc comment says
// of the request.
func TestMutateAndPatchStatus(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	ready := metav1.Condition{Type: "Ready", Status: "True", Reason: "Test", ObservedGeneration: 1, LastTransitionTime: at}
	scheme := runtime.NewScheme()
	expect.NoError(t, v1beta1.AddToScheme(scheme))
	nowhere, err := client.NewWithWatch(&rest.Config{}, client.Options{Scheme: scheme, Mapper: meta.NewDefaultRESTMapper(nil)})
	expect.NoError(t, err)
	for name, tc := range map[string]struct {
		mutate func(*v1alpha1.Status)
		want   []string
	}{
		"no change": {func(s *v1alpha1.Status) { status.Set(s, 1, ready) }, nil},
		"one field": {func(s *v1alpha1.Status) { s.ObservedGeneration = 7 },
			[]string{`{"metadata":{"resourceVersion":"42"},"status":{"observedGeneration":7}}`}},
		"the conditions, which are replaced whole": {func(s *v1alpha1.Status) { s.Conditions[0].Reason = "Other" },
			[]string{`{"metadata":{"resourceVersion":"42"},"status":{"conditions":[{"type":"Ready","status":"True","observedGeneration":1,"lastTransitionTime":"2026-01-02T03:04:05Z","reason":"Other","message":""}]}}`}},
	} {
		t.Run(name, func(t *testing.T) {
			var sent []string
			writer := interceptor.NewClient(nowhere, interceptor.Funcs{SubResourcePatch: func(_ context.Context, _ client.Client, subresource string, object client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
				text, err := patch.Data(object)
				expect.Equal(t, "the request", "status application/merge-patch+json MCPServer ns/web",
					subresource+" "+string(patch.Type())+" "+object.GetObjectKind().GroupVersionKind().Kind+" "+object.GetNamespace()+"/"+object.GetName())
				sent = append(sent, string(text))
				return err
			}})
			cached := sample.Server("ns", "web", v1alpha1.AuthReferences{})
			cached.ResourceVersion = "42"
			cached.Status = v1alpha1.Status{ObservedGeneration: 1, Conditions: []metav1.Condition{ready}}
			before := cached.DeepCopy()
			changed, err := status.MutateAndPatchStatus(t.Context(), writer, cached, tc.mutate)
			expect.NoError(t, err)
			expect.Equal(t, "changed", len(tc.want) > 0, changed)
			expect.Equal(t, "sent", tc.want, sent)
			expect.Equal(t, "the object of the cache was changed", before, cached)
		})
	}
}
