package setup

import (
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/scopegate/scopegate/config"
)

// LikeToolHive returns scopegate's CRDs without what ToolHive's do not have: the
// field scopesSupported, the rules that are policies here, and the bounds of a list and
// of texts.
func LikeToolHive() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	crds, err := config.CRDs()
	if err != nil {
		return nil, err
	}
	for _, crd := range crds {
		for i := range crd.Spec.Versions {
			strip(crd.Spec.Versions[i].Schema.OpenAPIV3Schema)
		}
	}
	return crds, nil
}

// onStart reports whether a rule is one on what the auth server refuses at its start:
// these read URLs, durations and the name of a provider.
func onStart(rule apiextensionsv1.ValidationRule) bool {
	return slices.ContainsFunc([]string{"isURL(", "duration(", ".matches(", "'default'"}, func(reads string) bool {
		return strings.Contains(rule.Rule, reads)
	})
}

func strip(schema *apiextensionsv1.JSONSchemaProps) {
	var kept apiextensionsv1.ValidationRules
	for _, rule := range schema.XValidations {
		if !strings.HasSuffix(rule.FieldPath, ".baselineClientScopes") && !onStart(rule) {
			kept = append(kept, rule)
		}
	}
	schema.XValidations = kept
	delete(schema.Properties, "scopesSupported")
	if schema.Type == "string" {
		schema.MaxLength = nil
	}
	for name, property := range schema.Properties {
		if name == "scopes" {
			property.MaxItems = nil
		}
		strip(&property)
		schema.Properties[name] = property
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		strip(schema.Items.Schema)
	}
}
