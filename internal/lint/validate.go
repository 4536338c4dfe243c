package lint

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/api/operation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/common"
)

// violation is an error of the API server, with its rule.
type violation struct {
	rule *Rule
	*field.Error
}

// validated is the API server's result for an object.
type validated struct {
	// unknown are the paths of fields that the schema does not have. With strict
	// field validation the API server reports them and stops; otherwise it drops
	// them and continues.
	unknown []string
	// malformed is set if the API server can't decode the metadata. It then
	// reports nothing else.
	malformed error
	// violations are the errors of the object without the unknown fields.
	violations []violation
}

// violates reports whether a rule with one of the IDs is violated.
func (v validated) violates(ids ...string) bool {
	return slices.ContainsFunc(v.violations, func(found violation) bool { return slices.Contains(ids, found.rule.ID) })
}

// validate takes an object through the steps of a create, or of an update if
// stored is not nil. It changes the object as the API server would: it removes
// unknown fields and sets defaults. stored has been through admit.
func (k *kind) validate(ctx context.Context, object map[string]any, stored any) validated {
	meta, unknown, err := k.admit(object)
	if err != nil {
		return validated{malformed: err}
	}
	// A client can't set the status. An update keeps the stored one, which no
	// rule rejects.
	delete(object, "status")
	old, _ := stored.(map[string]any)
	found := validated{unknown: unknown}
	for _, err := range validateMetadata(ctx, meta) {
		found.violations = append(found.violations, violation{ruleMetadata, err})
	}
	errs, ratchet := k.validateSchema(object, old)
	for _, err := range errs {
		found.violations = append(found.violations, violation{cmp.Or(schemaRules[err.Type], ruleInvalid), err})
	}
	if slices.ContainsFunc(found.violations, func(v violation) bool { return slices.Contains(blocking, v.Type) }) {
		found.violations = append(found.violations, violation{ruleNotChecked, field.Invalid(nil, nil, notChecked)})
		return found
	}
	errs, _ = k.rules.Validate(ctx, nil, k.structural, object, stored, celconfig.RuntimeCELCostBudget, ratchet...)
	for _, err := range errs {
		v := violation{Error: err}
		v.rule, err.Detail = cutTag(err.Detail)
		found.violations = append(found.violations, v)
	}
	return found
}

// admit decodes an object as the API server does before validation. It removes
// and returns fields that the schema does not have, removes meaningless nulls,
// and sets defaults. The API server also coerces embedded objects here, but these
// kinds have none.
func (k *kind) admit(object map[string]any) (*metav1.ObjectMeta, []string, error) {
	meta, found, unknown, err := objectmeta.GetObjectMetaWithOptions(object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return nil, nil, err
	}
	unknown = append(unknown, pruning.PruneWithOptions(object, k.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, k.structural)
	if !found {
		meta = &metav1.ObjectMeta{}
	} else if err := objectmeta.SetObjectMeta(object, meta); err != nil {
		return nil, nil, err
	}
	defaulting.Default(object, k.structural)
	return meta, unknown, nil
}

// validateMetadata validates as for a create, which is stricter than the API
// server for an update: there the name and the system's fields are the stored
// ones.
func validateMetadata(ctx context.Context, meta *metav1.ObjectMeta) field.ErrorList {
	if meta.Name == "" && meta.GenerateName != "" {
		meta = meta.DeepCopy()
		meta.Name = meta.GenerateName + "00000" // The API server generates the suffix.
	}
	return metavalidation.ValidateObjectMetaDeclaratively(ctx, operation.Create, meta, nil, true,
		metavalidation.NameIsDNSSubdomain, field.NewPath("metadata"), true)
}

// validateSchema validates an object against its schema and list types. With a
// stored version it validates only what the update changes; ratchet makes the
// rules do the same.
func (k *kind) validateSchema(object, old map[string]any) (errs field.ErrorList, ratchet []cel.Option) {
	lists := listtype.ValidateListSetsAndMaps(nil, k.structural, object)
	if old == nil {
		return append(validation.ValidateCustomResource(nil, object, k.schema), lists...), nil
	}
	if len(listtype.ValidateListSetsAndMaps(nil, k.structural, old)) > 0 {
		lists = nil
	}
	correlated := common.NewCorrelatedObject(object, old, &model.Structural{Structural: k.structural})
	errs = validation.ValidateCustomResourceUpdate(nil, object, old, k.schema, validation.WithRatcheting(correlated))
	return append(errs, lists...), []cel.Option{cel.WithRatcheting(correlated)}
}

// notChecked is the API server's message in place of its rules' results.
const notChecked = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"

// blocking are the types of errors that prevent the API server from evaluating
// rules.
var blocking = []field.ErrorType{field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid}

// schemaRules maps the types of schema errors to rules; ruleInvalid covers the
// rest.
var schemaRules = map[field.ErrorType]*Rule{
	field.ErrorTypeRequired:     ruleRequired,
	field.ErrorTypeTypeInvalid:  ruleType,
	field.ErrorTypeNotSupported: ruleEnum,
	field.ErrorTypeTooLong:      ruleBounds,
	field.ErrorTypeTooMany:      ruleBounds,
	field.ErrorTypeDuplicate:    ruleDuplicateItem,
}

// malformedMessage returns a decoding error without the names of Go types.
func malformedMessage(err error) string {
	var fieldError *field.Error
	if errors.As(err, &fieldError) {
		return fieldError.ErrorBody()
	}
	return strings.NewReplacer("json: ", "", "Go struct field ", "", "Go value", "value", "ObjectMeta.", "metadata.").Replace(err.Error())
}
