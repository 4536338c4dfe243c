package cel_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestNothingIsLost stores objects that set every field, and reads them back as
// they were: through the API server in both versions, and through the Go types.
func TestNothingIsLost(t *testing.T) {
	quiet, namespace := cluster.WithoutWarnings(t), cluster.Namespace(t)
	objects := richObjects(t)
	for _, kind := range loadSchemas(t) {
		for _, object := range objects[kind.Kind] {
			want := object.DeepCopy()
			defaulting.Default(want.Object, kind.Structural)
			for i, stored := range versions {
				t.Run(fmt.Sprintf("%s/%s/%s", kind.Kind, object.GetName(), stored), func(t *testing.T) {
					t.Parallel()
					sent := corpus.As(object, stored, namespace, object.GetName()+"-"+stored)
					expect.NoError(t, quiet.Create(t.Context(), sent, client.FieldValidation("Strict")))
					got := corpus.As(object, versions[1-i], namespace, sent.GetName())
					expect.NoError(t, quiet.Get(t.Context(), client.ObjectKeyFromObject(sent), got))
					expect.Equal(t, fmt.Sprintf("stored as %s, read as %s", stored, versions[1-i]), want.Object["spec"], got.Object["spec"])
					typed := throughGoTypes(t, got)
					defaulting.Default(typed, kind.Structural)
					expect.Equal(t, fmt.Sprintf("through the Go types of %s", versions[1-i]), want.Object["spec"], typed["spec"])
				})
			}
		}
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
	if text, err = json.Marshal(typed); err != nil {
		t.Fatal(err)
	}
	back := &unstructured.Unstructured{}
	expect.NoError(t, back.UnmarshalJSON(text))
	return back.Object
}

// TestRichObjectsSetEveryField checks that the objects of TestNothingIsLost are
// complete.
func TestRichObjectsSetEveryField(t *testing.T) {
	objects := richObjects(t)
	for _, kind := range loadSchemas(t) {
		spec := kind.Structural.Properties["spec"]
		set := map[string]bool{}
		for _, object := range objects[kind.Kind] {
			collect(object.Object["spec"], &spec, "spec", set)
		}
		corpus.Walk(&spec, func(path string, _ *schema.Structural) {
			if path != "" && !set["spec."+path] {
				t.Errorf("no %s in %s/roundtrip sets spec.%s", kind.Kind, testdata, path)
			}
		})
	}
}

func collect(value any, s *schema.Structural, path string, set map[string]bool) {
	set[path] = true
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if property, ok := s.Properties[name]; ok {
				collect(value[name], &property, corpus.Join(path, name), set)
			} else if s.AdditionalProperties != nil {
				set[path+"{}"] = true
			}
		}
	case []any:
		for _, entry := range value {
			if s.Items != nil {
				collect(entry, s.Items, path+"[]", set)
			}
		}
	}
}

func richObjects(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testdata, "roundtrip", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no objects: %v", err)
	}
	objects := map[string][]*unstructured.Unstructured{}
	for _, file := range files {
		decoded, err := config.Decode([]byte(expect.ReadFile(t, file)))
		expect.NoError(t, err)
		for _, object := range decoded {
			fill(object.Object)
			// This makes integers int64, as in a response of the API server.
			text, err := object.MarshalJSON()
			expect.NoError(t, err)
			expect.NoError(t, object.UnmarshalJSON(text))
			objects[object.GetKind()] = append(objects[object.GetKind()], object)
		}
	}
	return objects
}

// fill replaces each opaque: true by content of every type, which is the same in all
// opaque fields.
func fill(value any) {
	switch value := value.(type) {
	case []any:
		for _, entry := range value {
			fill(entry)
		}
	case map[string]any:
		if value["opaque"] == true {
			delete(value, "opaque")
			maps.Copy(value, map[string]any{
				"enabled": false, "count": 0, "ratio": 0.5, "empty": map[string]any{}, "none": []any{}, "text": "",
				"list":   []any{map[string]any{"a": 1}, map[string]any{"b": []any{true, "x"}}},
				"nested": map[string]any{"deeper": map[string]any{"key": "line one\nline two"}, "unicode": "µ"},
			})
		}
		for _, entry := range value {
			fill(entry)
		}
	}
}
