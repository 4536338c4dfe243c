// Package config holds the manifests that install scopegate, so that the
// development cluster, the linter and the tests use the very files that users
// apply.
package config

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Files are the manifests, by their path below config. The patterns with [^k] leave
// out kustomization.yaml.
//
//go:embed crd/*.yaml standalone/manager/namespace.yaml standalone/rbac/*.yaml guard/rbac/[^k]*.yaml guard/policies/scopegate-*.yaml guard/start-up/scopegate-*.yaml guard/manager/namespace.yaml guard/canary/[^k]*.yaml guard/canary/tried/*.yaml
var Files embed.FS

// CRDs returns scopegate's CustomResourceDefinitions.
func CRDs() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	objects, err := Objects("crd")
	if err != nil {
		return nil, err
	}
	crds := make([]*apiextensionsv1.CustomResourceDefinition, len(objects))
	for i, object := range objects {
		crds[i] = &apiextensionsv1.CustomResourceDefinition{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, crds[i]); err != nil {
			return nil, fmt.Errorf("decoding CustomResourceDefinition %s: %w", object.GetName(), err)
		}
	}
	return crds, nil
}

// Objects returns every object of the manifests in a folder, in the order of
// the file names.
func Objects(folder string) ([]*unstructured.Unstructured, error) {
	names, err := fs.Glob(Files, folder+"/*.yaml")
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, name := range names {
		text, err := Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		decoded, err := Decode(text)
		if err != nil {
			return nil, fmt.Errorf("decoding config/%s: %w", name, err)
		}
		objects = append(objects, decoded...)
	}
	return objects, nil
}

// Decode returns every object of a manifest.
func Decode(text []byte) (objects []*unstructured.Unstructured, err error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// EachSchema calls visit for a schema and for those below it, which visit may
// change.
func EachSchema(schema *apiextensionsv1.JSONSchemaProps, visit func(*apiextensionsv1.JSONSchemaProps)) {
	visit(schema)
	for name, property := range schema.Properties {
		EachSchema(&property, visit)
		schema.Properties[name] = property
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		EachSchema(schema.Items.Schema, visit)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		EachSchema(schema.AdditionalProperties.Schema, visit)
	}
}
