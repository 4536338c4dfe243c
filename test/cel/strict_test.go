package cel_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// misspelt is appended to each name.
const misspelt = "x"

// TestStrictFieldNames misspells every field name at every place that is not
// opaque. Strict validation must name each as unknown, and nothing else.
func TestStrictFieldNames(t *testing.T) {
	quiet, namespace := cluster.WithoutWarnings(t), cluster.Namespace(t)
	for _, kind := range loadSchemas(t) {
		for path, level := range levels(kind.Structural) {
			names := misspeltNames(level)
			for _, version := range versions {
				t.Run(fmt.Sprintf("%s/%s/%s", kind.Kind, version, path), func(t *testing.T) {
					t.Parallel()
					object := &unstructured.Unstructured{Object: objectWith(path, names)}
					object.SetKind(kind.Kind)
					object = corpus.As(object, version, namespace, "misspelt")
					err := quiet.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict"))
					if !apierrors.IsBadRequest(err) {
						t.Fatalf("want a strict decoding error, got: %v", err)
					}
					for _, name := range names {
						want := fmt.Sprintf("unknown field %q", corpus.Join(strings.ReplaceAll(path, "[]", "[0]"), name))
						if !strings.Contains(err.Error(), want) {
							t.Errorf("not refused: %s", want)
						}
					}
					if got := strings.Count(err.Error(), "unknown field"); got != len(names) {
						t.Errorf("%d unknown fields, want %d: %v", got, len(names), err)
					}
				})
			}
		}
	}
}

// TestOpaqueFields compares the opaque fields with a golden file.
// TestStrictFieldNames leaves them out, so a new one must be noticed.
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

// levels returns the objects of a schema whose field names are fixed, by their
// paths: spec and everything below, and status.
func levels(s *schema.Structural) map[string]*schema.Structural {
	found := map[string]*schema.Structural{}
	corpus.Walk(s, func(path string, at *schema.Structural) {
		if path != "" && path != "metadata" && len(at.Properties) > 0 && !at.XPreserveUnknownFields {
			found[path] = at
		}
	})
	return found
}

func misspeltNames(level *schema.Structural) []string {
	var names []string
	for name := range level.Properties {
		if _, exists := level.Properties[name+misspelt]; !exists {
			names = append(names, name+misspelt)
		}
	}
	slices.Sort(names)
	return names
}

// objectWith returns an object that has an empty value of each name at a path,
// and nothing else.
func objectWith(path string, names []string) map[string]any {
	innermost := map[string]any{}
	for _, name := range names {
		innermost[name] = map[string]any{}
	}
	parts := strings.Split(path, ".")
	for _, part := range slices.Backward(parts) {
		name, isList := strings.CutSuffix(part, "[]")
		outer := map[string]any{name: innermost}
		if isList {
			outer[name] = []any{innermost}
		}
		innermost = outer
	}
	return innermost
}
