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

// violation is an error of the API server, and the rule that it is of.
type violation struct {
	rule *Rule
	*field.Error
}

// validated is what the API server says of an object.
type validated struct {
	// unknown are the paths of fields that the schema does not have. Under strict
	// field validation the API server names them and stops; without, it drops them
	// and goes on.
	unknown []string
	// malformed is set where the API server can't decode the metadata. It says
	// nothing else then.
	malformed error
	// violations are why it rejects the object without the unknown fields.
	violations []violation
}

// violates reports whether one of the rules is violated.
func (v validated) violates(ids ...string) bool {
	return slices.ContainsFunc(v.violations, func(found violation) bool { return slices.Contains(ids, found.rule.ID) })
}

// validate takes an object through the steps of a create, or with a stored version
// through those of an update. It changes the object as the API server would:
// unknown fields go, defaults come. stored is nil or an object that has been through
// admit.
func (k *kind) validate(ctx context.Context, object map[string]any, stored any) validated {
	meta, unknown, err := k.admit(object)
	if err != nil {
		return validated{malformed: err}
	}
	// A client can't set the status. An update keeps what is stored, which no rule
	// refuses.
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

// admit decodes an object as the API server does before it looks at it: fields
// that the schema does not have are removed and returned, nulls without meaning
// are removed, defaults are set. The API server also coerces embedded objects here,
// of which the kinds have none.
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

// validateMetadata also stands for an update, of which it asks more than the API
// server: there the name and what the system sets are those that are stored.
func validateMetadata(ctx context.Context, meta *metav1.ObjectMeta) field.ErrorList {
	if meta.Name == "" && meta.GenerateName != "" {
		meta = meta.DeepCopy()
		meta.Name = meta.GenerateName + "00000" // The API server makes up the end.
	}
	return metavalidation.ValidateObjectMetaDeclaratively(ctx, operation.Create, meta, nil, true,
		metavalidation.NameIsDNSSubdomain, field.NewPath("metadata"), true)
}

// validateSchema validates an object by its schema and its list types; with a stored
// version, by what the update changes, as ratchet makes the rules do.
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

// notChecked is what the API server says in place of what its rules would.
const notChecked = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"

// blocking are the types of errors that keep the API server from its rules.
var blocking = []field.ErrorType{field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid}

// schemaRules are the rules of what the schema says; of the rest it is ruleInvalid.
var schemaRules = map[field.ErrorType]*Rule{
	field.ErrorTypeRequired:     ruleRequired,
	field.ErrorTypeTypeInvalid:  ruleType,
	field.ErrorTypeNotSupported: ruleEnum,
	field.ErrorTypeTooLong:      ruleBounds,
	field.ErrorTypeTooMany:      ruleBounds,
	field.ErrorTypeDuplicate:    ruleDuplicateItem,
}

// malformedMessage is an error of decoding without the names of Go's types.
func malformedMessage(err error) string {
	var fieldError *field.Error
	if errors.As(err, &fieldError) {
		return fieldError.ErrorBody()
	}
	return strings.NewReplacer("json: ", "", "Go struct field ", "", "Go value", "value", "ObjectMeta.", "metadata.").Replace(err.Error())
}
