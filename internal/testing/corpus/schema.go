package corpus

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// Schema is the schema of a kind.
type Schema struct {
	// Kind is the kind of the objects.
	Kind string
	// Props is the schema in the form that the API server converts it to.
	Props *apiextensions.JSONSchemaProps
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
	props := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[at].Schema.OpenAPIV3Schema, props, nil); err != nil {
		return nil, err
	}
	structural, err := schema.NewStructural(props)
	if err != nil {
		return nil, err
	}
	return &Schema{Kind: crd.Spec.Names.Kind, Props: props, Structural: structural}, nil
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

// As returns a copy of an object in a version and a namespace, under a name.
func As(object *unstructured.Unstructured, version, namespace, name string) *unstructured.Unstructured {
	object = object.DeepCopy()
	object.SetAPIVersion("toolhive.stacklok.dev/" + version)
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// Weaken removes keywords from the schemas of a CRD, at all levels.
func Weaken(value any, keywords ...string) {
	switch value := value.(type) {
	case map[string]any:
		if _, isSchema := value["type"].(string); isSchema {
			for _, keyword := range keywords {
				delete(value, keyword)
			}
		}
		for _, inner := range value {
			Weaken(inner, keywords...)
		}
	case []any:
		for _, inner := range value {
			Weaken(inner, keywords...)
		}
	}
}

// ReplaceCRDs writes CRDs, and waits as AwaitRules does.
func ReplaceCRDs(t testing.TB, c client.Client, namespace string, crds []*unstructured.Unstructured, cases []Case, rejects bool) {
	t.Helper()
	for _, crd := range crds {
		stored, crd := crd.DeepCopy(), crd.DeepCopy()
		expect.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(crd), stored))
		crd.SetResourceVersion(stored.GetResourceVersion())
		expect.NoError(t, c.Update(t.Context(), crd))
	}
	AwaitRules(t, c, namespace, cases, rejects)
}

// AwaitRules waits until the API server rejects a reject case of each kind, or admits
// it, in both versions: it has no event for a new schema.
func AwaitRules(t testing.TB, c client.Client, namespace string, cases []Case, rejects bool) {
	t.Helper()
	probes := map[string]Case{}
	for _, c := range cases {
		if !c.Accept {
			probes[c.Object.GetKind()] = c
		}
	}
	for kind, probe := range probes {
		for _, version := range []string{"v1alpha1", "v1beta1"} {
			var last error
			expect.Eventually(t, fmt.Sprintf("the rules of %s %s reject: %t", version, kind, rejects), func(ctx context.Context) (bool, error) {
				// There are other errors too, until the API server serves a new CRD.
				last = c.Create(ctx, As(probe.Object, version, namespace, "probe"), client.DryRunAll)
				return apierrors.IsInvalid(last) == rejects && (last == nil) != rejects, nil
			}, func() string { return fmt.Sprintf("the last answer: %v", last) })
		}
	}
}
