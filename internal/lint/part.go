package lint

import (
	"regexp"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	apicel "k8s.io/apiserver/pkg/cel"
)

// partFor returns of a schema what is on the path to a rule, and there what the
// rule can read: a validator of the whole would compile every rule and list all
// fields of an object each time that a rule reads one.
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
