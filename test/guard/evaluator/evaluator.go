// Package evaluator evaluates the policies scopegate-run-configs and scopegate-start-up
// with the API server's own evaluator and cost limits, but without an API server.
package evaluator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	apiservercel "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/policies"
)

// Budget is the maximum cost that the API server spends on a policy.
const Budget = apiservercel.RuntimeCELCostBudget

// Outcome is the result of the policy on a ConfigMap.
type Outcome struct {
	// Admitted is the result of the validation. Message is the message of a
	// rejection.
	Admitted bool
	Message  string
	// Whole reports whether the lists are read.
	Whole bool
	// Missing has the number of missing scopes in the new text and, for an
	// update, in the old one.
	Missing []int64
	// Cost is the cost of the validation and of its message.
	Cost int64
}

// Held reports whether the hold would hold an update. It has the same variables.
func (o Outcome) Held() bool { return o.Whole && o.Missing[0] > 0 && o.Missing[1] == 0 }

// Evaluator has the compiled policy.
type Evaluator struct {
	validation, message, variables plugincel.ConditionEvaluator
}

// New compiles the policy, after change if it is not nil.
func New(t testing.TB, change func(*admissionv1.ValidatingAdmissionPolicy)) *Evaluator {
	t.Helper()
	policy := policies.Load().Policy(guard.RunConfigsPolicy)
	if change != nil {
		change(policy)
	}
	compile := compiler(t, policy.Spec.Variables)
	validation := policy.Spec.Validations[0]
	return &Evaluator{
		validation: compile(expression{"", validation.Expression, cel.BoolType}),
		message:    compile(expression{"", validation.MessageExpression, cel.StringType}),
		variables: compile(expression{"", "variables.whole", cel.BoolType},
			expression{"", "size(variables.missing[0])", cel.IntType}, expression{"", "size(variables.missing[1])", cel.IntType}),
	}
}

// Mutant compiles the policy with a text replaced in a variable, which must
// contain that text.
func Mutant(t testing.TB, variable, before, after string) *Evaluator {
	t.Helper()
	return New(t, func(policy *admissionv1.ValidatingAdmissionPolicy) {
		for i := range policy.Spec.Variables {
			if v := &policy.Spec.Variables[i]; v.Name == variable {
				expect.Contains(t, v.Expression, before)
				v.Expression = strings.ReplaceAll(v.Expression, before, after)
			}
		}
	})
}

// compiler compiles the variables of a policy, and returns what compiles expressions
// that read them.
func compiler(t testing.TB, variables []admissionv1.Variable) func(...plugincel.ExpressionAccessor) plugincel.ConditionEvaluator {
	t.Helper()
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	expect.NoError(t, err)
	options := plugincel.OptionalVariableDeclarations{}
	for _, variable := range variables {
		result := compiler.CompileAndStoreVariable(expression{variable.Name, variable.Expression, cel.AnyType}, options, environment.NewExpressions)
		if result.Error != nil {
			t.Fatalf("variable %s: %v", variable.Name, result.Error)
		}
	}
	return func(expressions ...plugincel.ExpressionAccessor) plugincel.ConditionEvaluator {
		evaluator := compiler.CompileCondition(expressions, options, environment.NewExpressions)
		expect.NoError(t, errors.Join(evaluator.CompilationErrors()...))
		return evaluator
	}
}

// expression is what the compiler takes.
type expression struct {
	name, text string
	returns    *cel.Type
}

func (e expression) GetName() string          { return e.name }
func (e expression) GetExpression() string    { return e.text }
func (e expression) ReturnTypes() []*cel.Type { return []*cel.Type{e.returns} }

// ConfigMap returns a ConfigMap as ToolHive's operator writes it for an
// MCPServer.
func ConfigMap(data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-runconfig", Namespace: "default", Labels: map[string]string{toolhive.ComponentLabel: toolhive.ComponentRunConfig},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "toolhive.stacklok.dev/v1beta1", Kind: "MCPServer", Name: "web", UID: "1", Controller: ptr.To(true)}},
		},
		Data: data,
	}
}

// Evaluate evaluates the policy on the write of a ConfigMap: on a creation if old is
// nil.
func (e *Evaluator) Evaluate(ctx context.Context, object, old *corev1.ConfigMap) (Outcome, error) {
	outcome := Outcome{}
	asked, cost, err := evaluate(ctx, e.validation, object, old)
	if err != nil {
		return outcome, err
	}
	outcome.Admitted, outcome.Cost = asked[0].(bool), cost
	if !outcome.Admitted {
		if asked, cost, err = evaluate(ctx, e.message, object, old); err != nil {
			return outcome, err
		}
		outcome.Message, outcome.Cost = asked[0].(string), outcome.Cost+cost
	}
	if old == nil {
		// The variables have no entry for an old text.
		if outcome.Admitted {
			outcome.Missing = []int64{0}
		}
		return outcome, nil
	}
	if asked, _, err = evaluate(ctx, e.variables, object, old); err != nil {
		return outcome, err
	}
	outcome.Whole, outcome.Missing = asked[0].(bool), []int64{asked[1].(int64), asked[2].(int64)}
	return outcome, nil
}

func evaluate(ctx context.Context, evaluator plugincel.ConditionEvaluator, object, old *corev1.ConfigMap) ([]any, int64, error) {
	gvk, gvr := corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithResource("configmaps")
	operation := admission.Create
	versioned := &admission.VersionedAttributes{VersionedObject: admission.NewLazyObject(object), VersionedKind: gvk}
	if old != nil {
		operation = admission.Update
		versioned.VersionedOldObject = admission.NewLazyObject(old)
	}
	versioned.Attributes = admission.NewAttributesRecord(object, nil, gvk, object.Namespace, object.Name, gvr, "", operation, &metav1.CreateOptions{}, false, nil)
	request := plugincel.CreateAdmissionRequest(versioned.Attributes, metav1.GroupVersionResource(gvr), metav1.GroupVersionKind(gvk))
	results, left, err := evaluator.ForInput(ctx, versioned, request, plugincel.OptionalVariableBindings{}, &corev1.Namespace{}, Budget)
	if err != nil {
		return nil, 0, err
	}
	values := make([]any, len(results))
	for i, result := range results {
		if result.Error != nil {
			return nil, Budget - left, fmt.Errorf("%.80s: %w", result.ExpressionAccessor.GetExpression(), result.Error)
		}
		values[i] = result.EvalResult.Value()
	}
	return values, Budget - left, nil
}

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
