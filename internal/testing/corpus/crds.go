package corpus

import (
	"context"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// As returns a copy of an object in a version and a namespace, under a name.
func As(object *unstructured.Unstructured, version, namespace, name string) *unstructured.Unstructured {
	object = object.DeepCopy()
	object.SetAPIVersion("toolhive.stacklok.dev/" + version)
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// Weaken removes keywords from the schemas of a CRD, at all levels.
func Weaken(value any, keywords ...string) {
	switch value := value.(type) {
	case map[string]any:
		if _, isSchema := value["type"].(string); isSchema {
			for _, keyword := range keywords {
				delete(value, keyword)
			}
		}
		for _, inner := range value {
			Weaken(inner, keywords...)
		}
	case []any:
		for _, inner := range value {
			Weaken(inner, keywords...)
		}
	}
}

// ReplaceCRDs writes CRDs, and waits until the API server rejects a reject case of each
// kind, or admits it, in both versions: it has no event for a new schema.
func ReplaceCRDs(t testing.TB, c client.Client, namespace string, crds []*unstructured.Unstructured, cases []Case, rejects bool) {
	t.Helper()
	for _, crd := range crds {
		stored, crd := crd.DeepCopy(), crd.DeepCopy()
		expect.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(crd), stored))
		crd.SetResourceVersion(stored.GetResourceVersion())
		expect.NoError(t, c.Update(t.Context(), crd))
	}
	probes := map[string]Case{}
	for _, c := range cases {
		if !c.Accept {
			probes[c.Object.GetKind()] = c
		}
	}
	for kind, probe := range probes {
		for _, version := range []string{"v1alpha1", "v1beta1"} {
			expect.Eventually(t, fmt.Sprintf("the rules of %s %s reject: %t", version, kind, rejects), func(ctx context.Context) (bool, error) {
				err := c.Create(ctx, As(probe.Object, version, namespace, "probe"), client.DryRunAll)
				if err != nil && !apierrors.IsInvalid(err) {
					return false, err
				}
				return (err != nil) == rejects, nil
			})
		}
	}
}
