package corpus

import (
	"context"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Tested is a rule with the cases that detect its absence.
type Tested struct {
	Rule
	// Rejects are the reject cases whose causes change when the rule is replaced
	// by true.
	Rejects []Case
	// Accepts are the accept cases that are rejected when the rule is replaced by
	// false.
	Accepts []Case
}

// IDs returns the folders of the reject cases. A well-tested rule has one.
func (t Tested) IDs() []string {
	var ids []string
	for _, reject := range t.Rejects {
		ids = append(ids, reject.Rule)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Mutate replaces each rule of a schema by true and by false, evaluates the cases
// with the API server's own evaluator, and returns which cases detect it.
func Mutate(s Schema, rules []Rule, cases []Case) []Tested {
	tested, unchanged := make([]Tested, len(rules)), evaluator(s.Structural)
	for i, rule := range rules {
		tested[i].Rule = rule
		always, never := evaluator(s.with(rule, "true")), evaluator(s.with(rule, "false"))
		for _, c := range cases {
			switch {
			case c.Object.GetKind() != s.Kind:
			case c.Accept && len(never(c)) > 0:
				tested[i].Accepts = append(tested[i].Accepts, c)
			case !c.Accept && !slices.Equal(always(c), unchanged(c)):
				tested[i].Rejects = append(tested[i].Rejects, c)
			}
		}
	}
	return tested
}

// Evaluator returns a function that evaluates the CEL rules of a schema on the
// creation of a case's object, and returns the causes of the rejection.
func Evaluator(s Schema) func(Case) []metav1.StatusCause { return evaluator(s.Structural) }

func evaluator(s *schema.Structural) func(Case) []metav1.StatusCause {
	validator := cel.NewValidator(s, true, celconfig.PerCallLimit)
	return func(c Case) (causes []metav1.StatusCause) {
		object := c.Object.DeepCopy().Object
		defaulting.Default(object, s)
		errs, _ := validator.Validate(context.Background(), nil, s, object, nil, celconfig.RuntimeCELCostBudget)
		for _, err := range errs {
			causes = append(causes, metav1.StatusCause{Type: metav1.CauseType(err.Type), Field: err.Field, Message: err.ErrorBody()})
		}
		Sort(causes)
		return causes
	}
}

// with returns the schema with one rule's expression replaced.
func (s Schema) with(rule Rule, expression string) *schema.Structural {
	mutated := s.Structural.DeepCopy()
	Walk(mutated, func(path string, at *schema.Structural) {
		if path == rule.Path {
			at.XValidations = slices.Clone(at.XValidations)
			at.XValidations[rule.Index] = apiextensionsv1.ValidationRule{Rule: expression, Message: "mutated"}
		}
	})
	return mutated
}
