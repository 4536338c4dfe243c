package lint

import (
	"embed"
	"encoding/json"
	"fmt"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
)

// The versions of the API. Both have the same schema.
const (
	group             = "toolhive.stacklok.dev"
	version           = "v1beta1"
	deprecatedVersion = "v1alpha1"
)

// Prepared is a file of schemas, which hack/schemas makes of the CRDs: what takes
// time to make of them each time.
type Prepared struct {
	Schema *apiextensionsv1.JSONSchemaProps `json:"schema"`
	// Expressions are the rules of the schema and of those below it, each with its
	// parsed expression (google.api.expr.v1alpha1.ParsedExpr) in protobuf's encoding.
	Expressions map[string][]byte `json:"expressions"`
}

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
	rules      []*rule
	// validator is the API server's for the schema without the rules.
	validator func() (validation.SchemaValidator, error)
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
	var prepared Prepared
	if err := json.Unmarshal(text, &prepared); err != nil {
		return fmt.Errorf("decoding the schema of %s: %w", k.name, err)
	}
	schema := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(prepared.Schema, schema, nil); err != nil {
		return err
	}
	if k.structural, err = structural.NewStructural(schema); err != nil {
		return err
	}
	k.rules = rulesOf(k.structural, prepared.Expressions)
	k.validator = sync.OnceValues(func() (validation.SchemaValidator, error) {
		validator, _, err := validation.NewSchemaValidator(schema)
		return validator, err
	})
	return nil
}
