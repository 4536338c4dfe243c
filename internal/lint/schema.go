package lint

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apihelpers"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/kinds"
)

// The versions of the API, which have the same schema.
var (
	group             = v1beta1.GroupVersion.Group
	version           = v1beta1.GroupVersion.Version
	deprecatedVersion = v1alpha1.GroupVersion.Version
)

// schemas are the kinds that are validated. A kind is compiled when its first
// object needs it.
var schemas = func() map[string]func() (*kind, error) {
	schemas := map[string]func() (*kind, error){"MCPOIDCConfig": compiled("mcpoidcconfigs")}
	for _, kind := range kinds.All {
		schemas[kind.Name] = compiled(kind.Resource)
	}
	return schemas
}()

var kindNames = slices.Sorted(maps.Keys(schemas))

// kind is a CRD, compiled as in the API server.
type kind struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

func compiled(resource string) func() (*kind, error) {
	return sync.OnceValues(func() (*kind, error) {
		found, err := compile(resource)
		if err != nil {
			return nil, fmt.Errorf("compiling the CustomResourceDefinition of %s: %w", resource, err)
		}
		return found, nil
	})
}

func compile(resource string) (*kind, error) {
	text, err := config.Files.ReadFile("crd/" + group + "_" + resource + ".yaml")
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return nil, err
	}
	served, err := apihelpers.GetSchemaForVersion(&crd, version)
	if err != nil {
		return nil, err
	}
	config.EachSchema(served.OpenAPIV3Schema, tagRules)
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(served.OpenAPIV3Schema, &internal, nil); err != nil {
		return nil, err
	}
	found := &kind{}
	if found.structural, err = schema.NewStructural(&internal); err != nil {
		return nil, err
	}
	found.rules = cel.NewValidator(found.structural, true, celconfig.PerCallLimit)
	found.schema, _, err = validation.NewSchemaValidator(&internal)
	return found, err
}

// tagRules prefixes the messages of each rule with its ID, because a violation
// has no other reference to its rule.
func tagRules(s *apiextensionsv1.JSONSchemaProps) {
	for i := range s.XValidations {
		rule := &s.XValidations[i]
		tag := ruleIDs[rule.Message] + "|"
		rule.Message = tag + rule.Message
		if rule.MessageExpression != "" {
			rule.MessageExpression = strconv.Quote(tag) + " + (" + rule.MessageExpression + ")"
		}
	}
}

var tag = regexp.MustCompile(`(rule/[a-z0-9-]+)\|`)

// cutTag removes the ID of a rule from a message, and returns the rule.
func cutTag(message string) (rule *Rule, rest string) {
	match := tag.FindStringSubmatch(message)
	if match == nil || rulesByID[match[1]] == nil {
		return ruleInvalid, message
	}
	return rulesByID[match[1]], strings.Replace(message, match[0], "", 1)
}

// siblings returns the last element of a path, and the names of the fields beside
// it in the schema.
func (k *kind) siblings(path string) (string, []string) {
	at, parts := k.structural, strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		name, isItem, _ := strings.Cut(part, "[")
		next, ok := at.Properties[name]
		if !ok {
			return "", nil
		}
		at = &next
		if isItem != "" {
			if at.Items == nil {
				return "", nil
			}
			at = at.Items
		}
	}
	return parts[len(parts)-1], slices.Sorted(maps.Keys(at.Properties))
}
