package lint

import (
	"embed"
	"encoding/json"
	"fmt"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// The versions of the API. Both have the same schema.
const (
	group             = "toolhive.stacklok.dev"
	version           = "v1beta1"
	deprecatedVersion = "v1alpha1"
)

// schemas are those of the CRDs, in JSON.
//
//go:embed schemas/*.json
var schemas embed.FS

// kinds are the kinds that are judged.
var kinds = map[string]*kind{
	"MCPExternalAuthConfig": {name: "MCPExternalAuthConfig"},
	"MCPOIDCConfig":         {name: "MCPOIDCConfig"},
	"MCPRemoteProxy":        {name: "MCPRemoteProxy"},
	"MCPServer":             {name: "MCPServer"},
	"VirtualMCPServer":      {name: "VirtualMCPServer"},
}

// kind is what the API server makes of a CRD, once the first object needs it.
type kind struct {
	name string
	once sync.Once
	err  error

	structural *structural.Structural
	schema     narrowSchema
	rules      []*rule
}

// load decodes the schema of a kind.
func (k *kind) load() error {
	k.once.Do(func() { k.err = k.decode() })
	return k.err
}

func (k *kind) decode() error {
	text, err := schemas.ReadFile("schemas/" + k.name + ".json")
	if err != nil {
		return err
	}
	external := &apiextensionsv1.JSONSchemaProps{}
	if err := json.Unmarshal(text, external); err != nil {
		return fmt.Errorf("decoding the schema of %s: %w", k.name, err)
	}
	schema := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(external, schema, nil); err != nil {
		return err
	}
	if k.structural, err = structural.NewStructural(schema); err != nil {
		return err
	}
	k.rules = rulesOf(k.structural)
	return k.schema.load(schema)
}
