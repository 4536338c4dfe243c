package equivalence

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/cel-go/cel"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiadmission "k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	apiservercel "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// startUpPolicy evaluates the policy scopegate-start-up with the API server's own
// evaluator and cost limit, but without an API server.
type startUpPolicy struct{ validations plugincel.ConditionEvaluator }

func newStartUpPolicy(t testing.TB) *startUpPolicy {
	t.Helper()
	policies, err := guard.Policies(guard.ModeWarn, nil)
	expect.NoError(t, err)
	policy := policies[len(policies)-1]
	expect.Equal(t, "the last policy", guard.StartUpPolicy, policy.Name)
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	expect.NoError(t, err)
	options := plugincel.OptionalVariableDeclarations{}
	for _, variable := range policy.Spec.Variables {
		result := compiler.CompileAndStoreVariable(expression{variable.Name, variable.Expression, cel.AnyType}, options, environment.NewExpressions)
		if result.Error != nil {
			t.Fatalf("variable %s: %v", variable.Name, result.Error)
		}
	}
	var validations []plugincel.ExpressionAccessor
	for _, validation := range policy.Spec.Validations {
		validations = append(validations, expression{"", validation.Expression, cel.BoolType})
	}
	evaluator := compiler.CompileCondition(validations, options, environment.NewExpressions)
	expect.NoError(t, errors.Join(evaluator.CompilationErrors()...))
	return &startUpPolicy{evaluator}
}

// expression is what the compiler takes.
type expression struct {
	name, text string
	returns    *cel.Type
}

func (e expression) GetName() string          { return e.name }
func (e expression) GetExpression() string    { return e.text }
func (e expression) ReturnTypes() []*cel.Type { return []*cel.Type{e.returns} }

// admits reports whether the policy admits the creation of an object. A validation that
// can't be evaluated admits it.
func (p *startUpPolicy) admits(ctx context.Context, object *unstructured.Unstructured) (bool, error) {
	gvk := object.GroupVersionKind()
	gvr := gvk.GroupVersion().WithResource("any")
	versioned := &apiadmission.VersionedAttributes{VersionedObject: apiadmission.NewLazyObject(object), VersionedKind: gvk}
	versioned.Attributes = apiadmission.NewAttributesRecord(object, nil, gvk, object.GetNamespace(), object.GetName(), gvr, "", apiadmission.Create, &metav1.CreateOptions{}, false, nil)
	request := plugincel.CreateAdmissionRequest(versioned.Attributes, metav1.GroupVersionResource(gvr), metav1.GroupVersionKind(gvk))
	results, _, err := p.validations.ForInput(ctx, versioned, request, plugincel.OptionalVariableBindings{}, &corev1.Namespace{}, apiservercel.RuntimeCELCostBudget)
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
