package lint

import (
	"slices"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/kube-openapi/pkg/validation/validate"
)

// noValidation is for schemas that ask for a type alone.
var noValidation = &structural.ValueValidation{}

// fulfils tells whether a value fulfils a schema for sure. The API server's
// validator makes several validators for each value, which took a third of a lint;
// so it is asked only where this can't tell, and it alone says what is wrong.
// Keywords that are not looked at here are left to it.
func fulfils(s *structural.Structural, value any) bool {
	asked := s.ValueValidation
	if asked == nil {
		asked = noValidation
	}
	if combines(asked) {
		return false
	}
	switch value := value.(type) {
	case map[string]any:
		return s.Type == "object" && objectFulfils(s, asked, value)
	case []any:
		return s.Type == "array" && !asked.UniqueItems && within(len(value), asked.MinItems, asked.MaxItems) &&
			!slices.ContainsFunc(value, func(item any) bool { return s.Items == nil || !fulfils(s.Items, item) })
	case string:
		return s.Type == "string" && stringFulfils(asked, value)
	case bool:
		return s.Type == "boolean" && len(asked.Enum) == 0
	case int64:
		return (s.Type == "integer" || s.Type == "number") && integerFulfils(asked, value)
	case nil:
		return s.Nullable && len(asked.Enum) == 0
	default:
		return false
	}
}

// combines tells whether a schema has schemas for the same value in it.
func combines(asked *structural.ValueValidation) bool {
	return len(asked.AllOf)+len(asked.AnyOf)+len(asked.OneOf) > 0 || asked.Not != nil
}

// objectFulfils leaves fields alone that the schema does not have: those that are
// not allowed are gone by now.
func objectFulfils(s *structural.Structural, asked *structural.ValueValidation, object map[string]any) bool {
	if len(asked.Enum) > 0 || !within(len(object), asked.MinProperties, asked.MaxProperties) {
		return false
	}
	for _, name := range asked.Required {
		if _, ok := object[name]; !ok {
			return false
		}
	}
	for name, value := range object {
		if property, ok := s.Properties[name]; ok {
			if !fulfils(&property, value) {
				return false
			}
		} else if s.AdditionalProperties != nil && (s.AdditionalProperties.Structural == nil || !fulfils(s.AdditionalProperties.Structural, value)) {
			return false
		}
	}
	return true
}

func stringFulfils(asked *structural.ValueValidation, value string) bool {
	return asked.Format == "" &&
		(asked.MinLength == nil || validate.MinLength("", "", value, *asked.MinLength) == nil) &&
		(asked.MaxLength == nil || validate.MaxLength("", "", value, *asked.MaxLength) == nil) &&
		(asked.Pattern == "" || validate.Pattern("", "", value, asked.Pattern) == nil) &&
		(len(asked.Enum) == 0 || slices.ContainsFunc(asked.Enum, func(allowed structural.JSON) bool { return allowed.Object == value }))
}

// integerFulfils is not sure of numbers that a float64 can't hold, in which
// schemas have their bounds.
func integerFulfils(asked *structural.ValueValidation, value int64) bool {
	const exact = 1 << 53
	fits := asked.Format == "" || asked.Format == "int64" || (asked.Format == "int32" && int64(int32(value)) == value)
	return fits && value > -exact && value < exact && len(asked.Enum) == 0 && asked.MultipleOf == nil &&
		!asked.ExclusiveMinimum && !asked.ExclusiveMaximum &&
		(asked.Minimum == nil || float64(value) >= *asked.Minimum) && (asked.Maximum == nil || float64(value) <= *asked.Maximum)
}

func within(count int, least, most *int64) bool {
	return (least == nil || int64(count) >= *least) && (most == nil || int64(count) <= *most)
}
