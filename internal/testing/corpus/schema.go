package corpus

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
)

// Schema is the schema of a kind.
type Schema struct {
	// Kind is the kind of the objects.
	Kind string
	// Structural is the schema in the form that the API server uses.
	Structural *schema.Structural
}

// Schemas returns the v1beta1 schema of every kind, sorted by kind. A test checks
// that v1alpha1 has the same schemas.
func Schemas() ([]Schema, error) {
	crds, err := config.CRDs()
	if err != nil {
		return nil, err
	}
	schemas := make([]Schema, len(crds))
	for i, crd := range crds {
		found, err := VersionSchema(crd, v1beta1.GroupVersion.Version)
		if err != nil {
			return nil, fmt.Errorf("CustomResourceDefinition %s: %w", crd.Name, err)
		}
		schemas[i] = *found
	}
	return schemas, nil
}

// VersionSchema returns the schema of one version of a CRD.
func VersionSchema(crd *apiextensionsv1.CustomResourceDefinition, version string) (*Schema, error) {
	at := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == version })
	if at < 0 {
		return nil, fmt.Errorf("no version %s", version)
	}
	json := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[at].Schema.OpenAPIV3Schema, json, nil); err != nil {
		return nil, err
	}
	structural, err := schema.NewStructural(json)
	if err != nil {
		return nil, err
	}
	return &Schema{Kind: crd.Spec.Names.Kind, Structural: structural}, nil
}

// Walk calls visit for a schema and all schemas below it, sorted by name, with
// the path of each: spec.upstreamProviders[].name. It keeps the changes that
// visit makes.
func Walk(s *schema.Structural, visit func(path string, s *schema.Structural)) { walk(s, "", visit) }

func walk(s *schema.Structural, path string, visit func(path string, s *schema.Structural)) {
	visit(path, s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		walk(&property, Join(path, name), visit)
		s.Properties[name] = property
	}
	if s.Items != nil {
		walk(s.Items, path+"[]", visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		walk(s.AdditionalProperties.Structural, path+"{}", visit)
	}
}

// Join appends a field's name to a path.
func Join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
