package guard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
)

// baselineField ends the fieldPath of every rule on the baseline. ToolHive's
// CRDs have the other rules already.
const baselineField = ".baselineClientScopes"

// ownField is the one field that ToolHive's CRDs do not have.
const ownField = "scopesSupported"

// staticPolicies translates the baseline rules of scopegate's CRDs, one policy
// for each kind that has any which ToolHive's objects can break.
func staticPolicies() ([]policySpec, error) {
	crds, err := config.CRDs()
	if err != nil {
		return nil, err
	}
	var policies []policySpec
	for _, crd := range crds {
		kind, resource := crd.Spec.Names.Kind, crd.Spec.Names.Plural
		validations, err := staticValidations(crd)
		if err != nil {
			return nil, fmt.Errorf("translating the rules of %s: %w", kind, err)
		}
		if len(validations) > 0 {
			policies = append(policies, policySpec{
				name:        "scopegate-" + resource,
				description: fmt.Sprintf("The rules on the baseline that one %s can break by itself, translated from scopegate's CRD.", kind),
				resources:   []string{resource},
				validations: validations,
			})
		}
	}
	return policies, nil
}

func staticValidations(crd *apiextensionsv1.CustomResourceDefinition) ([]admissionv1.Validation, error) {
	var validations []admissionv1.Validation
	var walk func(schema *apiextensionsv1.JSONSchemaProps, path string) error
	walk = func(schema *apiextensionsv1.JSONSchemaProps, path string) error {
		for _, rule := range schema.XValidations {
			if !strings.HasSuffix(rule.FieldPath, baselineField) {
				continue
			}
			validation, err := translate(rule, path)
			if err != nil {
				return fmt.Errorf("the rule at %s: %w", path, err)
			}
			if validation != nil {
				validations = append(validations, *validation)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
			property := schema.Properties[name]
			if err := walk(&property, path+"."+name); err != nil {
				return err
			}
		}
		return nil
	}
	for _, version := range crd.Spec.Versions {
		if version.Name == v1beta1.GroupVersion.Version {
			return validations, walk(version.Schema.OpenAPIV3Schema, "")
		}
	}
	return nil, fmt.Errorf("no version %s", v1beta1.GroupVersion.Version)
}

// translate returns the validation of a policy for a rule, or nil where the
// rule can't fail without ownField.
func translate(rule apiextensionsv1.ValidationRule, path string) (*admissionv1.Validation, error) {
	expression, err := rewrite(rule.Rule, ownField)
	if err != nil {
		return nil, err
	}
	if expression == "true" {
		return nil, nil
	}
	if path != ".spec" {
		return nil, fmt.Errorf("it stands on %s, and only rules on the spec are translated", path)
	}
	message, err := rewrite(rule.MessageExpression, ownField)
	if err != nil {
		return nil, fmt.Errorf("messageExpression: %w", err)
	}
	return &admissionv1.Validation{
		// The CRD's rule is not asked either where there is no spec.
		Expression:        "!has(object.spec) ||\n" + expression,
		Message:           rule.Message,
		MessageExpression: message,
		// A policy's reasons are those of a response, and Invalid is the one of
		// every rejection by a schema.
		Reason: ptr.To(metav1.StatusReasonInvalid),
	}, nil
}
