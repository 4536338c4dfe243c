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

// Budget is the estimated cost that the API server allows an expression.
const Budget = 10_000_000

// OldestKubernetes is the oldest version on which the rules are held to compile.
const OldestKubernetes = "1.32"

// Rule is one x-kubernetes-validations rule at one place of a schema.
type Rule struct {
	apiextensionsv1.ValidationRule
	// Kind of the objects.
	Kind string
	// Path of the object that is self, as Walk names it.
	Path string
	// Index of the rule among those of its place.
	Index int
	// Cost that the API server estimates for the rule, times how often it may run
	// in one object.
	Cost uint64
	// MessageCost that the API server estimates for the messageExpression.
	MessageCost uint64
}

// String names the rule's place.
func (r Rule) String() string { return fmt.Sprintf("%s %s rule %d", r.Kind, r.Path, r.Index) }

// Field is the path of the field that the rule's rejections name.
func (r Rule) Field() string { return r.Path + r.FieldPath }

// Rules returns all rules of a schema with their costs, compiled as a
// kube-apiserver of a version does when the CRD is created.
func Rules(s Schema, kubernetes *version.Version) ([]Rule, error) {
	compiler := compiler{kind: s.Kind, environment: environment.MustBaseEnvSet(kubernetes)}
	compiler.visit(s.Structural, "", bounded(1))
	return compiler.rules, errors.Join(compiler.errs...)
}

// places is how many values of one object a schema may describe; nil if nothing
// bounds them.
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
		// The API server counts a rule once for each place where it may run: as
		// often as the bounds above allow, or else as a request has room for. It
		// counts a messageExpression once.
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

// Tested is a rule and the cases that notice its absence.
type Tested struct {
	Rule
	// Rejects are the reject cases that come out otherwise when the rule is
	// replaced by true.
	Rejects []Case
	// Accepts are the accept cases that are rejected when the rule is replaced by
	// false.
	Accepts []Case
}

// IDs are the folders of the reject cases; a well-tested rule has one.
func (t Tested) IDs() []string {
	var ids []string
	for _, reject := range t.Rejects {
		ids = append(ids, reject.Rule)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Mutate replaces each rule of a schema by true and by false, on the API
// server's own evaluator, and tells which cases notice.
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

// Evaluator returns a function that returns the causes for which the CEL rules of
// a schema reject the creation of a case's object.
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
