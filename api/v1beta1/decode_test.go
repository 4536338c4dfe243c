package v1beta1_test

import (
	"encoding/json"
	"math"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestDecodes decodes an object of each kind with extreme values. If one could not be
// decoded, a tenant could store it, and nobody could list any object of the kind.
func TestDecodes(t *testing.T) {
	scheme := runtime.NewScheme()
	expect.NoError(t, v1beta1.AddToScheme(scheme))
	crds, err := config.CRDs()
	expect.NoError(t, err)
	for _, crd := range crds {
		version := crd.Spec.Versions[len(crd.Spec.Versions)-1]
		text, err := json.Marshal(extreme(version.Schema.OpenAPIV3Schema))
		expect.NoError(t, err)
		object, err := scheme.New(v1beta1.GroupVersion.WithKind(crd.Spec.Names.Kind))
		expect.NoError(t, err)
		if err := json.Unmarshal(text, object); err != nil {
			t.Errorf("%s: %v", crd.Spec.Names.Kind, err)
		}
	}
}

// extreme returns a value that an API server stores for a schema. Kubernetes 1.35 does not
// validate the format int32, so fields without a maximum are int64.
func extreme(schema *apiextensionsv1.JSONSchemaProps) any {
	switch schema.Type {
	case "array":
		return []any{extreme(schema.Items.Schema)}
	case "boolean":
		return true
	case "integer":
		if schema.Maximum != nil {
			return *schema.Maximum
		}
		return math.MaxInt64
	case "string":
		if schema.Format == "date-time" {
			return "2026-01-01t00:00:00z"
		}
		return "text"
	}
	object := map[string]any{}
	for name, property := range schema.Properties {
		object[name] = extreme(&property)
	}
	if more := schema.AdditionalProperties; more != nil && more.Schema != nil {
		object["key"] = extreme(more.Schema)
	}
	return object
}
