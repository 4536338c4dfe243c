// Command schemas generates internal/lint/schemas from config/crd: for each kind
// its schema without descriptions, and its rules parsed. The linter starts with
// them several times as fast as with the CRDs.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/lint"
)

func main() {
	if err := run("internal/lint/schemas"); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	crds, err := config.CRDs()
	if err != nil {
		return err
	}
	for _, crd := range crds {
		at := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
			return v.Name == v1beta1.GroupVersion.Version
		})
		if at < 0 {
			return fmt.Errorf("CustomResourceDefinition %s has no version %s", crd.Name, v1beta1.GroupVersion.Version)
		}
		schema := crd.Spec.Versions[at].Schema.OpenAPIV3Schema
		config.EachSchema(schema, func(s *apiextensionsv1.JSONSchemaProps) { s.Description = "" })
		expressions, err := parsed(schema)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(lint.Prepared{Schema: schema, Expressions: expressions}); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, crd.Spec.Names.Kind+".json"), text.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}
