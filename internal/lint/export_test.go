package lint

import (
	"encoding/json"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
)

// Fulfils tells whether a value fulfils a schema for sure, and what the API
// server's validator says. Both are in JSON.
func Fulfils(schema, value string) (bool, field.ErrorList, error) {
	var external apiextensionsv1.JSONSchemaProps
	if err := json.Unmarshal([]byte(schema), &external); err != nil {
		return false, nil, err
	}
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&external, internal, nil); err != nil {
		return false, nil, err
	}
	var decoded any
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(value), &decoded); err != nil {
		return false, nil, err
	}
	s, err := structural.NewStructural(internal)
	if err != nil {
		return false, nil, err
	}
	validator, _, err := validation.NewSchemaValidator(internal)
	return fulfils(s, decoded), validation.ValidateCustomResource(nil, decoded, validator), err
}

// EachRule calls visit for every CEL rule of a kind with its id, and tells whether
// its expression could be decoded.
func EachRule(name string, visit func(id, message string, decoded bool)) error {
	if err := kinds[name].load(); err != nil {
		return err
	}
	for _, rule := range kinds[name].rules {
		visit(rule.id, rule.message, rule.expression().program != nil)
	}
	return nil
}

// Values decodes a text and returns what the API server would read of it, a
// value for each document, and whether all of it could be decoded.
func Values(text []byte) (values []any, ok bool) {
	for _, d := range split(&Source{Text: text}) {
		decoded, problem := d.decode()
		if problem != nil {
			return values, false
		}
		for _, value := range decoded {
			values = append(values, value.value)
		}
	}
	return values, true
}
