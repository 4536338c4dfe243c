package evaluator

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/cel-go/cel"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"

	"github.com/scopegate/scopegate/test/guard/policies"
)

// StartUp evaluates the policy scopegate-start-up.
type StartUp struct{ validations plugincel.ConditionEvaluator }

// NewStartUp compiles the policy.
func NewStartUp(t testing.TB) *StartUp {
	t.Helper()
	policy := policies.Load().StartUp
	var validations []plugincel.ExpressionAccessor
	for _, validation := range policy.Spec.Validations {
		validations = append(validations, expression{"", validation.Expression, cel.BoolType})
	}
	return &StartUp{compiler(t, policy.Spec.Variables)(validations...)}
}

// Admits reports whether the policy admits the creation of an object. A validation that
// can't be evaluated admits it.
func (s *StartUp) Admits(ctx context.Context, object *unstructured.Unstructured) (bool, error) {
	gvk := object.GroupVersionKind()
	gvr := gvk.GroupVersion().WithResource("any")
	versioned := &admission.VersionedAttributes{VersionedObject: admission.NewLazyObject(object), VersionedKind: gvk}
	versioned.Attributes = admission.NewAttributesRecord(object, nil, gvk, object.GetNamespace(), object.GetName(), gvr, "", admission.Create, &metav1.CreateOptions{}, false, nil)
	request := plugincel.CreateAdmissionRequest(versioned.Attributes, metav1.GroupVersionResource(gvr), metav1.GroupVersionKind(gvk))
	results, _, err := s.validations.ForInput(ctx, versioned, request, plugincel.OptionalVariableBindings{}, &corev1.Namespace{}, Budget)
	if err != nil {
		return false, fmt.Errorf("evaluating the policy: %w", err)
	}
	for _, result := range results {
		if result.Error == nil && !result.EvalResult.Value().(bool) {
			return false, nil
		}
	}
	return true, nil
}
