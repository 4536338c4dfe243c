package lint

import (
	"context"
	"errors"
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
	"k8s.io/apiserver/pkg/cel/common"
)

// generated stands for the end of a name that the API server makes up.
const generated = "00000"

// violation is an error of the API server, and the id of the rule that it is of.
type violation struct {
	rule string
	*field.Error
}

// checked is what the API server makes of an object.
type checked struct {
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

// check takes an object through the steps of a create, or with a stored version
// through those of an update. It changes the object as the API server would:
// unknown fields go, defaults come. stored must have been through admit.
func (k *kind) check(ctx context.Context, object, stored map[string]any) (checked, error) {
	meta, unknown, err := k.admit(object)
	if err != nil {
		return checked{malformed: err}, nil
	}
	// A client can't set the status: a create drops it, an update keeps it.
	delete(object, "status")
	if status, ok := stored["status"]; ok {
		object["status"] = status
	}
	var violations []violation
	for _, err := range k.checkMetadata(ctx, meta) {
		violations = append(violations, violation{ruleMetadata, err})
	}
	violations, err = k.checkSchema(ctx, object, stored, violations)
	return checked{unknown: unknown, violations: violations}, err
}

// admit decodes an object as the API server does before it looks at it: fields
// that the schema does not have are removed and returned, nulls without meaning
// are removed, defaults are set.
func (k *kind) admit(object map[string]any) (*metav1.ObjectMeta, []string, error) {
	meta, found, unknown, err := objectmeta.GetObjectMetaWithOptions(object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return nil, nil, err
	}
	unknown = append(unknown, pruning.PruneWithOptions(object, k.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, k.structural)
	// The API server also coerces embedded objects here, of which the kinds have
	// none.
	if !found {
		meta = &metav1.ObjectMeta{}
	} else if err := objectmeta.SetObjectMeta(object, meta); err != nil {
		return nil, nil, err
	}
	defaulting.Default(object, k.structural)
	return meta, unknown, nil
}

// checkMetadata also stands for an update, of which it asks more than the API
// server: there the name and what the system sets are those that are stored.
func (k *kind) checkMetadata(ctx context.Context, meta *metav1.ObjectMeta) field.ErrorList {
	if meta.Name == "" && meta.GenerateName != "" {
		meta = meta.DeepCopy()
		meta.Name = meta.GenerateName + generated
	}
	return metavalidation.ValidateObjectMetaDeclaratively(ctx, operation.Create, meta, nil, true,
		metavalidation.NameIsDNSSubdomain, field.NewPath("metadata"), true)
}

// checkSchema appends the violations of the schema and of the list types and,
// unless the violations so far would mislead them, those of the rules.
func (k *kind) checkSchema(ctx context.Context, object, stored map[string]any, violations []violation) ([]violation, error) {
	var correlated *common.CorrelatedObject
	var celOptions []cel.Option
	var old any
	if stored != nil {
		correlated = common.NewCorrelatedObject(object, stored, &model.Structural{Structural: k.structural})
		celOptions = append(celOptions, cel.WithRatcheting(correlated))
		old = stored
	}
	errs, err := k.validate(object, old, correlated)
	if err != nil {
		return nil, err
	}
	lists := listtype.ValidateListSetsAndMaps(nil, k.structural, object)
	if len(lists) > 0 && stored != nil && len(listtype.ValidateListSetsAndMaps(nil, k.structural, stored)) > 0 {
		lists = nil
	}
	for _, err := range append(errs, lists...) {
		violations = append(violations, violation{schemaRule(err), err})
	}
	if hides(violations) {
		return append(violations, violation{ruleNotChecked, field.Invalid(nil, nil, notChecked)}), nil
	}
	return append(violations, k.evaluate(ctx, object, old, celOptions...)...), nil
}

// validate validates an object by its schema; with a stored version, by what the
// update changes.
func (k *kind) validate(object, old any, correlated *common.CorrelatedObject) (field.ErrorList, error) {
	if fulfils(k.structural, object) {
		return nil, nil
	}
	validator, err := k.validator()
	if err != nil {
		return nil, err
	}
	if correlated == nil {
		return validation.ValidateCustomResource(nil, object, validator), nil
	}
	return validation.ValidateCustomResourceUpdate(nil, object, old, validator, validation.WithRatcheting(correlated)), nil
}

// notChecked is what the API server says in place of what its rules would.
const notChecked = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"

// hides tells whether the API server leaves the rules unchecked for the sake of
// other violations.
func hides(violations []violation) bool {
	for _, v := range violations {
		switch v.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		}
	}
	return false
}

// schemaRule is the id of what the schema says.
func schemaRule(err *field.Error) string {
	switch err.Type {
	case field.ErrorTypeRequired:
		return ruleRequired
	case field.ErrorTypeTypeInvalid:
		return ruleType
	case field.ErrorTypeNotSupported:
		return ruleEnum
	case field.ErrorTypeTooLong, field.ErrorTypeTooMany:
		return ruleBounds
	case field.ErrorTypeDuplicate:
		return ruleDuplicateItem
	default:
		return ruleInvalid
	}
}

// malformedMessage is an error of decoding without the names of Go's types.
func malformedMessage(err error) string {
	var fieldError *field.Error
	if errors.As(err, &fieldError) {
		return fieldError.ErrorBody()
	}
	return strings.NewReplacer("json: ", "", "Go struct field ", "", "Go value", "value", "ObjectMeta.", "metadata.").Replace(err.Error())
}
