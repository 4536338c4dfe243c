package lint

import (
	"context"
	"maps"
	"slices"
	"sync"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// eachItem and eachEntry are the steps of a path into a list and into a map.
const (
	eachItem  = "[]"
	eachEntry = "{}"
)

// rule is a CEL rule of a schema. Most rules hold on most objects, and the
// expression alone tells that sooner than the API server's validator, which
// declares types and lists all fields of an object at each read: so the validator
// is asked, and made, only for a rule that may be broken.
type rule struct {
	id, message string
	path        []string

	expression func() expression
	validator  func() *cel.Validator
}

// holds tells whether the rule holds at a value for sure.
func (r *rule) holds(self any) bool { return r.expression().holds(self) }

// rulesOf returns the rules of a schema and of those below it, in order. parsed
// has their expressions, see Prepared.
func rulesOf(root *structural.Structural, parsed map[string][]byte) []*rule {
	var rules []*rule
	var visit func(s *structural.Structural, path []string)
	visit = func(s *structural.Structural, path []string) {
		for _, written := range s.XValidations {
			rules = append(rules, &rule{
				id: ruleIDs[written.Message], message: written.Message, path: path,
				expression: sync.OnceValue(func() expression { return newExpression(parsed[written.Rule]) }),
				validator: sync.OnceValue(func() *cel.Validator {
					return cel.NewValidator(partFor(written, root, path), true, celconfig.PerCallLimit)
				}),
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

// evaluate evaluates the rules that stand at a value of the object. What they
// cost needs no count: all of them together stay far within what the API server
// allows for one, which a test holds.
func (k *kind) evaluate(ctx context.Context, object map[string]any, old any, options ...cel.Option) []violation {
	var violations []violation
	for _, rule := range k.rules {
		if everyAt(object, rule.path, rule.holds) {
			continue
		}
		errs, _ := rule.validator().Validate(ctx, nil, nil, object, old, celconfig.RuntimeCELCostBudget, options...)
		for _, err := range errs {
			violations = append(violations, violation{rule.id, err})
		}
	}
	return violations
}

// everyAt tells whether all that a value has at a path fulfils a condition.
func everyAt(value any, path []string, fulfils func(any) bool) bool {
	if value == nil {
		return true
	}
	if len(path) == 0 {
		return fulfils(value)
	}
	switch value := value.(type) {
	case map[string]any:
		if path[0] != eachEntry {
			return everyAt(value[path[0]], path[1:], fulfils)
		}
		for _, entry := range value {
			if !everyAt(entry, path[1:], fulfils) {
				return false
			}
		}
	case []any:
		for _, item := range value {
			if !everyAt(item, path[1:], fulfils) {
				return false
			}
		}
	}
	return true
}
