package lint

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	apicel "k8s.io/apiserver/pkg/cel"
)

// eachItem and eachEntry are the steps of a path into a list and into a map.
const (
	eachItem  = "[]"
	eachEntry = "{}"
)

// compiledRule is a rule of a schema with validators of the API server for it
// alone, for two reasons. The evaluator lists all fields of an object each time
// that a rule reads one, which with the whole schema is a third of what a lint
// takes: here the schema has no more than the rule can read. And compiling takes
// half a millisecond, which most runs need for few rules, and for the expressions
// of messages only where a rule is broken.
type compiledRule struct {
	id, message string
	path        []string

	// judging is without the expression of the message, and telling with it.
	judging, telling lazyValidator
}

// lazyValidator is compiled when it is needed first.
type lazyValidator struct {
	schema   func() *structural.Structural
	once     sync.Once
	compiled atomic.Pointer[cel.Validator]
}

func (l *lazyValidator) get() *cel.Validator {
	l.once.Do(func() { l.compiled.Store(cel.NewValidator(l.schema(), true, celconfig.PerCallLimit)) })
	return l.compiled.Load()
}

// rulesOf returns the rules of a schema and of those below it, in order.
func rulesOf(root *structural.Structural) []*compiledRule {
	var rules []*compiledRule
	var visit func(s *structural.Structural, path []string)
	visit = func(s *structural.Structural, path []string) {
		for _, rule := range s.XValidations {
			quiet := rule
			quiet.MessageExpression = ""
			rules = append(rules, &compiledRule{
				id: ruleIDs[rule.Message], message: rule.Message, path: path,
				judging: lazyValidator{schema: func() *structural.Structural { return partFor(quiet, root, path) }},
				telling: lazyValidator{schema: func() *structural.Structural { return partFor(rule, root, path) }},
			})
		}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			property := s.Properties[name]
			visit(&property, append(slices.Clone(path), name))
		}
		if s.Items != nil {
			visit(s.Items, append(slices.Clone(path), eachItem))
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
			visit(s.AdditionalProperties.Structural, append(slices.Clone(path), eachEntry))
		}
	}
	visit(root, nil)
	return rules
}

// evaluate evaluates the rules that stand at a value of the object, within the
// API server's budget for all of them.
func (k *kind) evaluate(ctx context.Context, object map[string]any, old any, options ...cel.Option) []violation {
	var violations []violation
	applying := slices.DeleteFunc(slices.Clone(k.rules), func(r *compiledRule) bool { return !reaches(object, r.path) })
	compile(applying)
	budget := int64(celconfig.RuntimeCELCostBudget)
	for _, rule := range applying {
		errs, rest := rule.judging.get().Validate(ctx, nil, nil, object, old, budget, options...)
		if len(errs) > 0 {
			errs, rest = rule.telling.get().Validate(ctx, nil, nil, object, old, budget, options...)
		}
		for _, err := range errs {
			violations = append(violations, violation{rule.id, err})
		}
		if budget = rest; budget < 0 {
			break
		}
	}
	return violations
}

// compile compiles the rules that are not compiled yet, on all processors.
func compile(rules []*compiledRule) {
	var group sync.WaitGroup
	for _, rule := range rules {
		if rule.judging.compiled.Load() == nil {
			group.Go(func() { rule.judging.get() })
		}
	}
	group.Wait()
}

// reaches tells whether a value has something at a path.
func reaches(value any, path []string) bool {
	if len(path) == 0 {
		return value != nil
	}
	switch value := value.(type) {
	case map[string]any:
		if path[0] == eachEntry {
			return slices.ContainsFunc(slices.Collect(maps.Values(value)), func(entry any) bool { return reaches(entry, path[1:]) })
		}
		return reaches(value[path[0]], path[1:])
	case []any:
		return slices.ContainsFunc(value, func(item any) bool { return reaches(item, path[1:]) })
	default:
		return false
	}
}

// partFor returns of a schema what is on the path to a rule, and there what the
// rule can read.
func partFor(rule apiextensionsv1.ValidationRule, s *structural.Structural, path []string) *structural.Structural {
	if len(path) == 0 {
		part := readable(s, namesIn(rule.Rule, rule.MessageExpression))
		part.XValidations = apiextensionsv1.ValidationRules{rule}
		return part
	}
	part := *s
	part.XValidations, part.Items, part.AdditionalProperties = nil, nil, nil
	switch path[0] {
	case eachItem:
		part.Items = partFor(rule, s.Items, path[1:])
	case eachEntry:
		part.AdditionalProperties = &structural.StructuralOrBool{Structural: partFor(rule, s.AdditionalProperties.Structural, path[1:])}
	default:
		property := s.Properties[path[0]]
		part.Properties = map[string]structural.Structural{path[0]: *partFor(rule, &property, path[1:])}
	}
	return &part
}

// readable returns a schema without rules and without the fields, at any depth,
// that have none of the given names. A rule can't see the difference: whatever it
// reads it names, and no rule compares objects as a whole, which a test holds.
func readable(s *structural.Structural, names map[string]bool) *structural.Structural {
	part := *s
	part.XValidations = nil
	if s.Items != nil {
		part.Items = readable(s.Items, names)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		part.AdditionalProperties = &structural.StructuralOrBool{Structural: readable(s.AdditionalProperties.Structural, names)}
	}
	if s.Properties != nil {
		part.Properties = map[string]structural.Structural{}
	}
	for name, property := range s.Properties {
		if escaped, ok := apicel.Escape(name); ok && names[escaped] {
			part.Properties[name] = *readable(&property, names)
		}
	}
	return &part
}

var identifier = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// namesIn returns the identifiers in CEL expressions, among them the names of all
// fields that they read.
func namesIn(expressions ...string) map[string]bool {
	names := map[string]bool{}
	for _, expression := range expressions {
		for _, name := range identifier.FindAllString(expression, -1) {
			names[name] = true
		}
	}
	return names
}
