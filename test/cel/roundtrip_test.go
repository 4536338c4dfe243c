package cel_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestNothingIsLost sends a spec with every field through the schema, as the API server
// stores it, and through the Go types of both versions.
func TestNothingIsLost(t *testing.T) {
	for _, kind := range loadSchemas(t) {
		spec := kind.Structural.Properties["spec"]
		for _, version := range versions {
			t.Run(kind.Kind+"/"+version, func(t *testing.T) {
				object := &unstructured.Unstructured{Object: map[string]any{"spec": complete(t, &spec)}}
				object.SetKind(kind.Kind)
				object = corpus.As(object, version, "default", "complete")
				want := object.DeepCopy()
				pruning.Prune(object.Object, kind.Structural, true)
				expect.Equal(t, "through the schema", want.Object["spec"], object.Object["spec"])
				typed := throughGoTypes(t, object)
				defaulting.Default(typed, kind.Structural)
				expect.Equal(t, "through the Go types", want.Object["spec"], typed["spec"])
			})
		}
	}
}

// complete returns a value with everything that a schema has. An opaque object also has
// content of every type.
func complete(t *testing.T, s *schema.Structural) any {
	t.Helper()
	switch s.Type {
	case "object":
		object := map[string]any{}
		if s.XPreserveUnknownFields {
			object = map[string]any{
				"enabled": false, "count": int64(0), "ratio": 0.5, "empty": map[string]any{}, "none": []any{}, "text": "",
				"list":   []any{map[string]any{"a": int64(1)}, map[string]any{"b": []any{true, "x"}}},
				"nested": map[string]any{"deeper": map[string]any{"key": "line one\nline two"}, "unicode": "µ"},
			}
		}
		for name, property := range s.Properties {
			object[name] = complete(t, &property)
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
			object["key"] = complete(t, s.AdditionalProperties.Structural)
		}
		return object
	case "array":
		return []any{complete(t, s.Items)}
	case "boolean":
		return s.Default.Object != true
	case "integer":
		return int64(7)
	case "string":
		if s.ValueValidation != nil && len(s.ValueValidation.Enum) > 0 {
			return s.ValueValidation.Enum[0].Object
		}
		return "text"
	default:
		t.Fatalf("a field of type %q", s.Type)
		return nil
	}
}

// TestOpaqueFields compares the opaque fields with a golden file, because the API server
// takes any content for them, misspelt fields included.
func TestOpaqueFields(t *testing.T) {
	var opaque []string
	for _, kind := range loadSchemas(t) {
		corpus.Walk(kind.Structural, func(path string, at *schema.Structural) {
			if at.XPreserveUnknownFields {
				opaque = append(opaque, kind.Kind+" "+path)
			}
		})
	}
	expect.Golden(t, *update, "testdata/opaque.golden", strings.Join(opaque, "\n")+"\n")
}

// throughGoTypes decodes an object into its Go type and encodes it again. That
// drops a false that is the default, which the API server would restore.
func throughGoTypes(t *testing.T, object *unstructured.Unstructured) map[string]any {
	t.Helper()
	scheme := runtime.NewScheme()
	expect.NoError(t, errors.Join(v1alpha1.AddToScheme(scheme), v1beta1.AddToScheme(scheme)))
	typed, err := scheme.New(object.GroupVersionKind())
	expect.NoError(t, err)
	text, err := object.MarshalJSON()
	expect.NoError(t, err)
	expect.NoError(t, json.Unmarshal(text, typed))
	text, err = json.Marshal(typed)
	expect.NoError(t, err)
	back := &unstructured.Unstructured{}
	expect.NoError(t, back.UnmarshalJSON(text))
	return back.Object
}
