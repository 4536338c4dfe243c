package lint

import (
	"sync"
	"sync/atomic"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// narrowSchema is a schema with the fields that any object had so far. The API
// server's validator copies every field that a schema has, and reads of them none
// that an object does not have, so that it comes to the same in less time:
// manifests use few of the fields.
type narrowSchema struct {
	full   *spec.Schema
	fields *fields

	mu  sync.Mutex
	now atomic.Pointer[validation.SchemaValidator]
}

// fields are those of an object in a schema.
type fields struct {
	properties map[string]*fields
	// below is of the items of a list or the entries of a map.
	below *fields
	// known tells that the validator has the field.
	known atomic.Bool
}

func (n *narrowSchema) load(schema *apiextensions.JSONSchemaProps) error {
	_, full, err := validation.NewSchemaValidator(schema)
	if err != nil {
		return err
	}
	n.full, n.fields = full, fieldsOf(full)
	return nil
}

func fieldsOf(schema *spec.Schema) *fields {
	of := &fields{}
	if len(schema.Properties) > 0 {
		of.properties = make(map[string]*fields, len(schema.Properties))
	}
	for name, property := range schema.Properties {
		of.properties[name] = fieldsOf(&property)
	}
	switch {
	case schema.Items != nil && schema.Items.Schema != nil:
		of.below = fieldsOf(schema.Items.Schema)
	case schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil:
		of.below = fieldsOf(schema.AdditionalProperties.Schema)
	}
	return of
}

// validator returns a validator that has all fields of an object.
func (n *narrowSchema) validator(object any) validation.SchemaValidator {
	// A field is known only after the validator that has it is stored.
	known := true
	n.fields.visit(object, func(field *fields) { known = known && field.known.Load() })
	if now := n.now.Load(); known && now != nil {
		return *now
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	wanted := map[*fields]bool{}
	n.fields.visit(object, func(field *fields) { wanted[field] = true })
	validator := validation.NewSchemaValidatorFromOpenAPI(n.fields.narrow(n.full, wanted))
	n.now.Store(&validator)
	for field := range wanted {
		field.known.Store(true)
	}
	return validator
}

// visit visits the fields that a value has.
func (f *fields) visit(value any, visit func(*fields)) {
	switch value := value.(type) {
	case map[string]any:
		for name, child := range value {
			if property := f.properties[name]; property != nil {
				visit(property)
				property.visit(child, visit)
			} else if f.below != nil {
				f.below.visit(child, visit)
			}
		}
	case []any:
		for _, item := range value {
			if f.below != nil {
				f.below.visit(item, visit)
			}
		}
	}
}

// narrow returns a schema with the fields only that are known or wanted.
func (f *fields) narrow(full *spec.Schema, wanted map[*fields]bool) *spec.Schema {
	part := *full
	if full.Properties != nil {
		part.Properties = map[string]spec.Schema{}
	}
	for name, field := range f.properties {
		if wanted[field] || field.known.Load() {
			property := full.Properties[name]
			part.Properties[name] = *field.narrow(&property, wanted)
		}
	}
	switch {
	case full.Items != nil && full.Items.Schema != nil:
		part.Items = &spec.SchemaOrArray{Schema: f.below.narrow(full.Items.Schema, wanted)}
	case full.AdditionalProperties != nil && full.AdditionalProperties.Schema != nil:
		additional := *full.AdditionalProperties
		additional.Schema = f.below.narrow(full.AdditionalProperties.Schema, wanted)
		part.AdditionalProperties = &additional
	}
	return &part
}
