package equivalence

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

const version = "v1beta1"

// admission evaluates objects of one kind as the API server does, by the CRD that
// scopegate installs.
type admission struct {
	structural *schema.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

func admissions(t testing.TB) map[string]*admission {
	t.Helper()
	schemas, err := corpus.Schemas()
	expect.NoError(t, err)
	byKind := map[string]*admission{}
	for _, s := range schemas {
		openAPI, _, err := validation.NewSchemaValidator(s.Props)
		expect.NoError(t, err)
		byKind[s.Kind] = &admission{structural: s.Structural, openAPI: openAPI, rules: cel.NewValidator(s.Structural, true, celconfig.PerCallLimit)}
	}
	return byKind
}

var pathToConfig = []string{"spec", "embeddedAuthServer", "authServerConfig"}

var word = regexp.MustCompile(`\w+`)

// onBaseline returns a copy that has only the rules on a baseline, and only the
// fields that these rules read: the evaluator takes time for every field of the
// schema, and there are a million cases. If a rule lacks a field, it does not
// compile, and rejects everything.
func (a *admission) onBaseline() *admission {
	structural := a.structural.DeepCopy()
	read := sets.New(pathToConfig...)
	rules := schema.Visitor{Structural: func(s *schema.Structural) bool {
		s.XValidations = slices.DeleteFunc(s.XValidations, func(rule apiextensionsv1.ValidationRule) bool {
			return !strings.HasSuffix(rule.FieldPath, ".baselineClientScopes")
		})
		for _, rule := range s.XValidations {
			read.Insert(word.FindAllString(rule.Rule, -1)...)
		}
		return true
	}}
	rules.Visit(structural)
	fields := schema.Visitor{Structural: func(s *schema.Structural) bool {
		maps.DeleteFunc(s.Properties, func(name string, _ schema.Structural) bool { return !read.Has(name) })
		return true
	}}
	fields.Visit(structural)
	return &admission{structural: structural, openAPI: a.openAPI, rules: cel.NewValidator(structural, true, celconfig.PerCallLimit)}
}

func (a *admission) evaluate(object map[string]any) field.ErrorList {
	errs, _ := a.rules.Validate(context.Background(), nil, a.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return errs
}

func (a *admission) create(object map[string]any) field.ErrorList {
	return append(a.validate(object), a.evaluate(object)...)
}

// validate is like create, but without the CEL rules.
func (a *admission) validate(object map[string]any) field.ErrorList {
	pruning.Prune(object, a.structural, true)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, a.structural)
	defaulting.Default(object, a.structural)
	return validation.ValidateCustomResource(nil, object, a.openAPI)
}

func convert(t testing.TB, from, to any) {
	t.Helper()
	text, err := json.Marshal(from)
	expect.NoError(t, err)
	expect.NoError(t, json.Unmarshal(text, to))
}
