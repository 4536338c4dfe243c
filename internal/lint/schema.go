package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
)

// The versions of the API. Both have the same schema.
const (
	group             = "toolhive.stacklok.dev"
	version           = "v1beta1"
	deprecatedVersion = "v1alpha1"
)

// kinds are the kinds that are judged, with the files of their CRDs.
var kinds = map[string]*kind{
	"MCPExternalAuthConfig": {file: "mcpexternalauthconfigs"},
	"MCPOIDCConfig":         {file: "mcpoidcconfigs"},
	"MCPRemoteProxy":        {file: "mcpremoteproxies"},
	"MCPServer":             {file: "mcpservers"},
	"VirtualMCPServer":      {file: "virtualmcpservers"},
}

// kind is what the API server makes of a CRD, once the first object needs it.
type kind struct {
	file string
	once sync.Once
	err  error

	structural *structural.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
	// places are the rules by the field that their rejections name.
	places map[string][]apiextensionsv1.ValidationRule
}

// load compiles the schema and the rules of a kind.
func (k *kind) load() error {
	k.once.Do(func() { k.err = k.compile() })
	return k.err
}

func (k *kind) compile() error {
	text, err := config.Files.ReadFile("crd/" + group + "_" + k.file + ".yaml")
	if err != nil {
		return err
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(text, crd); err != nil {
		return fmt.Errorf("decoding the CRD of %s: %w", k.file, err)
	}
	at := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
		return v.Name == v1beta1.GroupVersion.Version
	})
	if at < 0 {
		return fmt.Errorf("the CRD of %s has no version %s", k.file, version)
	}
	schema := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[at].Schema.OpenAPIV3Schema, schema, nil); err != nil {
		return err
	}
	if k.structural, err = structural.NewStructural(schema); err != nil {
		return err
	}
	if k.schema, _, err = validation.NewSchemaValidator(schema); err != nil {
		return err
	}
	k.rules = cel.NewValidator(forRules(k.structural), true, celconfig.PerCallLimit)
	k.places = map[string][]apiextensionsv1.ValidationRule{}
	k.visit(k.structural, "")
	return nil
}

// visit collects the rules of a schema and of those below it.
func (k *kind) visit(s *structural.Structural, path string) {
	for _, rule := range s.XValidations {
		k.places[strings.TrimPrefix(path+rule.FieldPath, ".")] = append(k.places[strings.TrimPrefix(path+rule.FieldPath, ".")], rule)
	}
	for name, property := range s.Properties {
		k.visit(&property, path+"."+name)
	}
	if s.Items != nil {
		k.visit(s.Items, path+"[]")
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		k.visit(s.AdditionalProperties.Structural, path+"[]")
	}
}

var (
	indexes = regexp.MustCompile(`\[[^\]]*\]`)
	// literals are the strings of a CEL expression.
	literals = regexp.MustCompile(`'[^']*'|"[^"]*"`)
)

// ruleOf returns the id of the CEL rule that an error comes from. The error does
// not tell, but rules with the same field differ in their messages.
func (k *kind) ruleOf(err *field.Error) string {
	best, length := ruleInvalid, 0
	for _, rule := range k.places[indexes.ReplaceAllString(err.Field, "[]")] {
		if rule.Message == err.Detail {
			return ruleIDs[rule.Message]
		}
		// A computed message has at least one of the literals of its expression.
		for _, literal := range literals.FindAllString(rule.MessageExpression, -1) {
			if literal = literal[1 : len(literal)-1]; len(literal) > length && strings.Contains(err.Detail, literal) {
				best, length = ruleIDs[rule.Message], len(literal)
			}
		}
	}
	return best
}
