package lint_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/lint"
	"github.com/scopegate/scopegate/test/corpus"
)

// TestEveryRule holds the number of rules that are evaluated to what the CRDs
// have at any place, such as within an allOf, where no rule is looked for.
func TestEveryRule(t *testing.T) {
	schemas, err := corpus.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	for _, s := range schemas {
		count := func(id, _ string, decoded bool) {
			rules++
			if !decoded {
				t.Errorf("%s: the expression of %s can't be decoded", s.Kind, id)
			}
		}
		if err := lint.EachRule(s.Kind, count); err != nil {
			t.Fatal(err)
		}
	}
	files, err := config.Files.ReadDir("crd")
	if err != nil {
		t.Fatal(err)
	}
	written := 0
	for _, file := range files {
		text, err := config.Files.ReadFile("crd/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		written += strings.Count(string(text), " rule: ")
	}
	// Each of the two versions of a CRD has the same rules.
	if written != 2*rules || rules == 0 {
		t.Errorf("%d rules are evaluated, but the CRDs have %d in two versions", rules, written)
	}
}

// TestRulesCompareNoObjects holds what expressions without types and the schema of
// a rule by itself rely on: that no rule compares objects as a whole, with all
// their fields.
func TestRulesCompareNoObjects(t *testing.T) {
	schemas, err := corpus.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	env, err := cel.NewEnv(cel.OptionalTypes())
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, root := range schemas {
		corpus.Walk(root.Structural, func(path string, s *schema.Structural) {
			for _, rule := range s.XValidations {
				for _, text := range []string{rule.Rule, rule.MessageExpression} {
					if text == "" {
						continue
					}
					parsed, issues := env.Parse(text)
					if issues.Err() != nil {
						t.Fatal(issues.Err())
					}
					checker := comparisons{self: s, variables: map[string]*schema.Structural{}}
					checker.visit(parsed.NativeRep().Expr())
					compared += checker.count
					for _, problem := range checker.problems {
						t.Errorf("%s %s: %s in: %s", root.Kind, path, problem, text)
					}
				}
			}
		})
	}
	if compared < 20 {
		t.Errorf("%d comparisons were found, want at least 20", compared)
	}
}

// comparisons finds what an expression compares.
type comparisons struct {
	self      *schema.Structural
	variables map[string]*schema.Structural
	count     int
	problems  []string
}

func (c *comparisons) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Equals, operators.NotEquals, operators.In:
			c.count++
			for _, operand := range call.Args() {
				if s := c.schemaOf(operand); s != nil && (s.Type == "object" || (s.Items != nil && s.Items.Type == "object")) {
					c.problems = append(c.problems, fmt.Sprintf("an object is compared (type %s)", s.Type))
				}
			}
		}
		if call.IsMemberFunction() {
			c.visit(call.Target())
		}
		for _, argument := range call.Args() {
			c.visit(argument)
		}
	case ast.ComprehensionKind:
		loop := e.AsComprehension()
		c.visit(loop.IterRange())
		if s := c.schemaOf(loop.IterRange()); s != nil {
			c.variables[loop.IterVar()] = s.Items
		}
		c.visit(loop.LoopStep())
		c.visit(loop.Result())
	case ast.SelectKind:
		c.visit(e.AsSelect().Operand())
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			c.visit(element)
		}
	}
}

// schemaOf returns the schema of what an expression selects, or nil.
func (c *comparisons) schemaOf(e ast.Expr) *schema.Structural {
	switch e.Kind() {
	case ast.IdentKind:
		if name := e.AsIdent(); name == "self" || name == "oldSelf" {
			return c.self
		}
		return c.variables[e.AsIdent()]
	case ast.SelectKind:
		if of := c.schemaOf(e.AsSelect().Operand()); of != nil && !e.AsSelect().IsTestOnly() {
			if property, ok := of.Properties[e.AsSelect().FieldName()]; ok {
				return &property
			}
		}
	case ast.CallKind:
		if call := e.AsCall(); call.IsMemberFunction() && call.FunctionName() == "value" {
			return c.schemaOf(call.Target())
		}
	}
	return nil
}

// TestSchemasAreThere tells of a schema that the kinds lack.
func TestSchemasAreThere(t *testing.T) {
	files, err := os.ReadDir("schemas")
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := corpus.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(schemas) {
		t.Errorf("%d schemas, but %d CRDs", len(files), len(schemas))
	}
}
