// Package lockeval evaluates the lock's expressions as an API server does, with
// its own evaluator and its limits of cost, but without an API server.
package lockeval

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	apiservercel "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
)

// The states of a ConfigMap.
const (
	None       = "none"
	Readable   = "readable"
	Unreadable = "unreadable"
)

// Outcome is what the lock makes of a ConfigMap.
type Outcome struct {
	// State is one of None, Readable and Unreadable.
	State string
	// Missing is how many scopes of the baseline are not effective.
	Missing int
	// Complaint is empty if there is nothing to refuse.
	Complaint string
	// Admitted is what LockDeny says of the creation in the mode deny.
	Admitted bool
	// Cost in the API server's units, of apiservercel.RuntimeCELCostBudget.
	Cost int64
}

// Evaluator has the compiled policy.
type Evaluator struct {
	conditions, outcome plugincel.ConditionEvaluator
	compiler            *plugincel.CompositedCompiler
}

// New compiles the policy of LockDeny, after change if it is not nil.
func New(change func(*admissionv1.ValidatingAdmissionPolicy)) (*Evaluator, error) {
	objects := guard.Lock()
	i := slices.IndexFunc(objects, func(o client.Object) bool {
		_, isPolicy := o.(*admissionv1.ValidatingAdmissionPolicy)
		return isPolicy && o.GetName() == guard.LockDeny
	})
	policy := objects[i].(*admissionv1.ValidatingAdmissionPolicy)
	if change != nil {
		change(policy)
	}
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, err
	}
	options := plugincel.OptionalVariableDeclarations{HasParams: true}
	for _, variable := range policy.Spec.Variables {
		result := compiler.CompileAndStoreVariable(expression{variable.Name, variable.Expression, cel.AnyType}, options, environment.NewExpressions)
		if result.Error != nil {
			return nil, fmt.Errorf("variable %s: %w", variable.Name, result.Error)
		}
	}
	var conditions []plugincel.ExpressionAccessor
	for _, condition := range policy.Spec.MatchConditions {
		conditions = append(conditions, expression{"", condition.Expression, cel.BoolType})
	}
	asked := []plugincel.ExpressionAccessor{
		// In the order of the API server: the validation first, then its message.
		expression{"", policy.Spec.Validations[0].Expression, cel.BoolType},
		expression{"", policy.Spec.Validations[0].MessageExpression, cel.StringType},
		expression{"", "variables.state", cel.StringType},
		expression{"", "size(variables.missing)", cel.IntType},
		expression{"", "variables.complaint", cel.StringType},
	}
	e := &Evaluator{
		conditions: compiler.CompileCondition(conditions, options, environment.NewExpressions),
		outcome:    compiler.CompileCondition(asked, options, environment.NewExpressions),
		compiler:   compiler,
	}
	for _, err := range append(e.conditions.CompilationErrors(), e.outcome.CompilationErrors()...) {
		if err != nil {
			return nil, err
		}
	}
	return e, nil
}

// expression is what the compiler takes.
type expression struct {
	name, text string
	returns    *cel.Type
}

func (e expression) GetName() string          { return e.name }
func (e expression) GetExpression() string    { return e.text }
func (e expression) ReturnTypes() []*cel.Type { return []*cel.Type{e.returns} }

// ConfigMap returns one as ToolHive's operator writes it.
func ConfigMap(data map[string]string) *corev1.ConfigMap {
	controller := true
	return &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-runconfig", Namespace: "default",
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "toolhive.stacklok.dev/v1beta1", Kind: "MCPServer", Name: "web", UID: "1", Controller: &controller}},
		},
		Data: data,
	}
}

// Parameters returns the object of parameters with that data.
func Parameters(data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: guard.ParametersName, Namespace: guard.ParametersNamespace}, Data: data}
}

// Matches tells whether a ConfigMap is judged.
func (e *Evaluator) Matches(ctx context.Context, object *corev1.ConfigMap) (bool, int64, error) {
	results, cost, err := e.evaluate(ctx, e.conditions, object, nil, nil, apiservercel.RuntimeCELCostBudgetMatchConditions)
	if err != nil {
		return false, cost, err
	}
	for _, result := range results {
		if result.Error != nil {
			return false, cost, result.Error
		}
		if result.EvalResult.Value() != true {
			return false, cost, nil
		}
	}
	return true, cost, nil
}

// Evaluate returns what becomes of a ConfigMap that is created with the
// parameters, in a namespace with labels.
func (e *Evaluator) Evaluate(ctx context.Context, object, params *corev1.ConfigMap, labels map[string]string) (Outcome, error) {
	results, cost, err := e.evaluate(ctx, e.outcome, object, params, labels, apiservercel.RuntimeCELCostBudget)
	if err != nil {
		return Outcome{}, err
	}
	for _, result := range results {
		if result.Error != nil {
			return Outcome{}, fmt.Errorf("%.80s: %w", result.ExpressionAccessor.GetExpression(), result.Error)
		}
	}
	return Outcome{
		Admitted: results[0].EvalResult.Value().(bool), State: results[2].EvalResult.Value().(string),
		Missing: int(results[3].EvalResult.Value().(int64)), Complaint: results[4].EvalResult.Value().(string), Cost: cost,
	}, nil
}

func (e *Evaluator) evaluate(
	ctx context.Context, evaluator plugincel.ConditionEvaluator, object, params *corev1.ConfigMap, labels map[string]string, budget int64,
) ([]plugincel.EvaluationResult, int64, error) {
	gvk, gvr := corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithResource("configmaps")
	attributes := admission.NewAttributesRecord(object, nil, gvk, object.Namespace, object.Name, gvr, "", admission.Create, &metav1.CreateOptions{}, false, nil)
	versioned := &admission.VersionedAttributes{Attributes: attributes, VersionedObject: admission.NewLazyObject(object), VersionedKind: gvk}
	request := plugincel.CreateAdmissionRequest(attributes, metav1.GroupVersionResource(gvr), metav1.GroupVersionKind(gvk))
	bindings := plugincel.OptionalVariableBindings{}
	if params != nil {
		bindings.VersionedParams = params
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: object.Namespace, Labels: labels}}
	results, left, err := evaluator.ForInput(ctx, versioned, request, bindings, namespace, budget)
	return results, budget - left, err
}
