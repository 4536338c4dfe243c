package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// oneWrongIn is the number of groups, of four manifests or of a pair, for which
// there is something wrong.
const oneWrongIn = 50

// manifests returns documents as people keep them in a folder: a quarter of each
// kind that has an auth server or a config. With every oneWrongIn groups of four
// come a document that breaks the schema and one that breaks a CEL rule. Their
// names begin with schema and rule.
func manifests(count int) []byte {
	m := &writer{}
	m.add(sample.OIDCConfig(namespace, "oidc"), nil)
	for i := 0; m.documents < count; i++ {
		config := sample.Config(namespace, fmt.Sprintf("config-%d", i), "openid", "offline_access")
		m.add(config, nil)
		m.add(sample.Server(namespace, fmt.Sprintf("server-%d", i), sample.AuthServerRef(config.Name, "openid", "offline_access")), nil)
		m.add(sample.Proxy(namespace, fmt.Sprintf("proxy-%d", i), sample.ExternalAuthConfigRef(config.Name)), nil)
		m.add(sample.Virtual(namespace, fmt.Sprintf("virtual-%d", i), sample.AuthServer("openid"), "openid", "offline_access"), nil)
		if i%oneWrongIn == 0 {
			m.add(sample.Config(namespace, fmt.Sprintf("rule-%d", i), "openid"), func(spec map[string]any) { spec["bearerToken"] = map[string]any{} })
			m.add(sample.Server(namespace, fmt.Sprintf("schema-%d", i), sample.AuthServerRef(config.Name)), func(spec map[string]any) { spec["proxyPort"] = -1 })
		}
	}
	return m.text.Bytes()
}

// pairs returns count configs with one consumer each, of the same name. The baseline of
// one in oneWrongIn is not supported. Its name begins with wrong.
func pairs(count int) []byte {
	m := &writer{}
	m.add(sample.OIDCConfig(namespace, "oidc"), nil)
	for i := range count {
		name, baseline := fmt.Sprintf("pair-%d", i), []string{"openid", "offline_access"}
		if i%oneWrongIn == 0 {
			name, baseline = fmt.Sprintf("wrong-%d", i), append(baseline, "admin")
		}
		m.add(sample.Config(namespace, name, baseline...), nil)
		// Half of them have scopes of their own.
		m.add(sample.Server(namespace, name, sample.AuthServerRef(name, []string{"openid", "profile", "offline_access"}[:3*(i%2)]...)), nil)
	}
	return m.text.Bytes()
}

// writer writes manifests into one YAML stream.
type writer struct {
	text      bytes.Buffer
	documents int
}

// add writes an object; change, if not nil, changes its spec.
func (w *writer) add(object runtime.Object, change func(spec map[string]any)) {
	content := sample.Unstructured(object).Object
	if change != nil {
		change(content["spec"].(map[string]any))
	}
	if w.documents++; w.documents > 1 {
		w.text.WriteString("---\n")
	}
	w.text.Write(must(yaml.Marshal(content)))
}

// jsonSchemas writes the schemas of the CRDs as kubeconform reads them, in a
// strict form as its own converter makes it, and returns the location to give it.
func jsonSchemas(folder string) string {
	for _, crd := range must(config.CRDs()) {
		for _, version := range crd.Spec.Versions {
			schema := version.Schema.OpenAPIV3Schema
			config.EachSchema(schema, closeObject)
			check(os.WriteFile(filepath.Join(folder, crd.Spec.Names.Singular+"_"+version.Name+".json"), must(json.Marshal(schema)), 0o600))
		}
	}
	return filepath.Join(folder, "{{.ResourceKind}}_{{.ResourceAPIVersion}}.json")
}

// closeObject makes a schema reject unknown fields.
func closeObject(schema *apiextensionsv1.JSONSchemaProps) {
	if len(schema.Properties) > 0 && schema.AdditionalProperties == nil && schema.XPreserveUnknownFields == nil {
		schema.AdditionalProperties = &apiextensionsv1.JSONSchemaPropsOrBool{Allows: false}
	}
}
