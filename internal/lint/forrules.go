package lint

import (
	"regexp"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	apicel "k8s.io/apiserver/pkg/cel"
)

// identifiers of a CEL expression, among them the names of all fields that it
// reads.
var identifiers = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// forRules returns the part of a schema that its rules can read: without the
// fields that no rule at their object or above it names, and that have no rules
// themselves. The API server's evaluator lists all fields of an object each time
// that a rule reads one, which is most of what a rule takes; and it describes all
// of them to the compiler. A rule can't see the difference: a name that it reads
// is in its text, and rules do not compare objects as a whole, which a test
// holds.
func forRules(s *structural.Structural) *structural.Structural {
	part, _ := partForRules(s, nil)
	return part
}

// partForRules also tells whether the part has rules. named are the identifiers
// in the rules above it.
func partForRules(s *structural.Structural, named map[string]bool) (*structural.Structural, bool) {
	part, hasRules := *s, len(s.XValidations) > 0
	if hasRules {
		named = addIdentifiers(named, s)
	}
	below := func(s *structural.Structural) *structural.Structural {
		child, has := partForRules(s, named)
		hasRules = hasRules || has
		return child
	}
	if s.Items != nil {
		part.Items = below(s.Items)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		part.AdditionalProperties = &structural.StructuralOrBool{Structural: below(s.AdditionalProperties.Structural)}
	}
	if s.Properties != nil {
		part.Properties = map[string]structural.Structural{}
	}
	for name, property := range s.Properties {
		child, has := partForRules(&property, named)
		hasRules = hasRules || has
		if escaped, ok := apicel.Escape(name); has || (ok && named[escaped]) {
			part.Properties[name] = *child
		}
	}
	return &part, hasRules
}

func addIdentifiers(named map[string]bool, s *structural.Structural) map[string]bool {
	all := map[string]bool{}
	for name := range named {
		all[name] = true
	}
	for _, rule := range s.XValidations {
		for _, expression := range []string{rule.Rule, rule.MessageExpression} {
			for _, name := range identifiers.FindAllString(expression, -1) {
				all[name] = true
			}
		}
	}
	return all
}
