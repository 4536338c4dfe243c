package corpus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Budget is the maximum estimated cost of an expression in the API server.
const Budget = 10_000_000

// OldestKubernetes is the oldest version with which the rules must compile.
const OldestKubernetes = "1.32"

// Rule is an x-kubernetes-validations rule at a path of a schema.
type Rule struct {
	apiextensionsv1.ValidationRule
	// Kind is the kind of the objects.
	Kind string
	// Path is the path of self, as in Walk.
	Path string
	// Index is the index of the rule at its path.
	Index int
	// Cost is the API server's cost estimate for the rule, times the maximum
	// number of its evaluations in an object.
	Cost uint64
	// MessageCost is the API server's cost estimate for the messageExpression.
	MessageCost uint64
}

// String returns the kind, path and index of the rule.
func (r Rule) String() string { return fmt.Sprintf("%s %s rule %d", r.Kind, r.Path, r.Index) }

// Field returns the path of the field that the rule's rejections name.
func (r Rule) Field() string { return r.Path + r.FieldPath }

// Rules returns all rules of a schema with their costs, compiled as in
// kube-apiserver of the given version when the CRD is created.
func Rules(s Schema, kubernetes *version.Version) ([]Rule, error) {
	compiler := compiler{kind: s.Kind, environment: environment.MustBaseEnvSet(kubernetes)}
	compiler.visit(s.Structural, "", bounded(1))
	return compiler.rules, errors.Join(compiler.errs...)
}

// places is the maximum number of values of an object that a schema describes, or
// nil if unlimited.
type places *uint64

func bounded(count uint64) places { return &count }

func below(p places, most *int64) places {
	if p == nil || most == nil {
		return nil
	}
	return bounded(multiply(*p, uint64(max(*most, 0))))
}

type compiler struct {
	kind        string
	environment *environment.EnvSet
	rules       []Rule
	errs        []error
}

func (c *compiler) visit(s *schema.Structural, path string, at places) {
	if len(s.XValidations) > 0 {
		if err := c.compile(s, path, at); err != nil {
			c.errs = append(c.errs, fmt.Errorf("%s %s: %w", c.kind, path, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		c.visit(&property, Join(path, name), at)
	}
	var bounds schema.ValueValidation
	if s.ValueValidation != nil {
		bounds = *s.ValueValidation
	}
	if s.Items != nil {
		c.visit(s.Items, path+"[]", below(at, bounds.MaxItems))
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		c.visit(s.AdditionalProperties.Structural, path+"{}", below(at, bounds.MaxProperties))
	}
}

func (c *compiler) compile(s *schema.Structural, path string, at places) error {
	results, err := cel.Compile(s, model.SchemaDeclType(s, path == ""), celconfig.PerCallLimit, c.environment, cel.NewExpressionsEnvLoader())
	if err != nil {
		return err
	}
	for i, result := range results {
		if result.Error != nil {
			return fmt.Errorf("rule %d: %w", i, result.Error)
		}
		if result.MessageExpressionError != nil {
			return fmt.Errorf("messageExpression of rule %d: %w", i, result.MessageExpressionError)
		}
		// The API server multiplies the cost of a rule by the number of places
		// where it may run: the product of the limits above it, or else what fits
		// into a request. It counts a messageExpression once.
		times := result.MaxCardinality
		if at != nil {
			times = *at
		}
		c.rules = append(c.rules, Rule{
			ValidationRule: s.XValidations[i], Kind: c.kind, Path: path, Index: i,
			Cost: multiply(result.MaxCost, times), MessageCost: result.MessageExpressionMaxCost,
		})
	}
	return nil
}

func multiply(a, b uint64) uint64 {
	if a != 0 && math.MaxUint64/a < b {
		return math.MaxUint64
	}
	return a * b
}

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
