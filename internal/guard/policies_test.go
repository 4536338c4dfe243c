package guard

import (
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/test/corpus"
)

func TestRewrite(t *testing.T) {
	for name, tc := range map[string]struct{ rule, want, err string }{
		"self":                       {rule: `self.a == 'x'`, want: `object.spec.a == "x"`},
		"a field named self":         {rule: `self.self.oldSelf == 1`, want: `object.spec.self.oldSelf == 1`},
		"a text that says self":      {rule: `'self oldSelf.value()' + self.a`, want: `"self oldSelf.value()" + object.spec.a`},
		"macros":                     {rule: `has(self.a) && self.a.all(s, s in self.b)`, want: `has(object.spec.a) && object.spec.a.all(s, s in object.spec.b)`},
		"old value":                  {rule: `oldSelf.value().a == self.a`, want: `oldObject.spec.a == object.spec.a`},
		"old value is there":         {rule: `oldSelf.hasValue()`, want: `oldObject != null && has(oldObject.spec)`},
		"no old value":               {rule: `!oldSelf.hasValue() || self.a`, want: `!(oldObject != null && has(oldObject.spec)) || object.spec.a`},
		"lists, indexes, conditions": {rule: `[self.a, 'b'][self.c - 1] == (self.d ? 'x' : 'y')`, want: `[object.spec.a, "b"][object.spec.c - 1] == (object.spec.d ? "x" : "y")`},
		"absent":                     {rule: `has(self.absent)`, want: `false`},
		"absent, deep":               {rule: `self.a || has(oldSelf.value().b.absent)`, want: `object.spec.a`},
		"guarded":                    {rule: `self.a || (has(self.absent) && self.absent > 0) || self.b`, want: `object.spec.a || object.spec.b`},
		"guarded from behind":        {rule: `self.a && (self.absent > 0 || !has(self.absent))`, err: "absent is read without has()"},
		"rule that can't fail":       {rule: `!has(self.absent) || self.absent > 0`, want: `true`},
		"rule that always fails":     {rule: `self.a && has(self.absent)`, want: `false`},
		"absent, unguarded":          {rule: `self.absent > 0`, err: "absent is read without has()"},
		"old self itself":            {rule: `oldSelf == self`, err: "oldSelf is used otherwise"},
		"no rule":                    {rule: `self.`, err: "Syntax error"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rewrite(tc.rule, "absent")
			if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("error %v, want %q", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRewrittenTwice shows that what is printed reads as what was meant: the
// translation of a translation changes nothing.
func TestRewrittenTwice(t *testing.T) {
	for _, policy := range policies(t) {
		for _, validation := range policy.Policy.Spec.Validations {
			for _, expression := range []string{validation.Expression, validation.MessageExpression} {
				once, err := rewrite(expression, "absent")
				if err != nil {
					t.Fatal(err)
				}
				twice, err := rewrite(once, "absent")
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(once, twice); diff != "" {
					t.Errorf("%s (-once +twice):\n%s", policy.Policy.Name, diff)
				}
			}
		}
	}
}

// TestWhichRules tells that the one baseline rule which ToolHive's objects can
// break is translated, and that a rule elsewhere is no silent loss.
func TestWhichRules(t *testing.T) {
	static, err := staticPolicies()
	if err != nil {
		t.Fatal(err)
	}
	if len(static) != 1 || static[0].name != "scopegate-virtualmcpservers" || len(static[0].validations) != 1 {
		t.Errorf("got %d static policies, want the one on virtualmcpservers with one rule: %+v", len(static), static)
	}
	rule := apiextensionsv1.ValidationRule{Rule: "self.a", FieldPath: baselineField}
	if _, err := translate(rule, ".spec.authServerConfig"); err == nil {
		t.Error("a rule below the spec is translated as if it stood on the spec")
	}
}

// TestShape holds what an administrator relies on for every policy.
func TestShape(t *testing.T) {
	for _, policy := range policies(t) {
		spec := policy.Policy.Spec
		t.Run(policy.Policy.Name, func(t *testing.T) {
			if *spec.FailurePolicy != admissionv1.Ignore {
				t.Errorf("failurePolicy %s: an expression that can't be evaluated locks users out", *spec.FailurePolicy)
			}
			rule := spec.MatchConstraints.ResourceRules[0]
			for _, resource := range rule.Resources {
				if strings.ContainsAny(resource, "/*") {
					t.Errorf("resource %s: subresources are not for users to edit", resource)
				}
			}
			if diff := cmp.Diff([]admissionv1.OperationType{admissionv1.Create, admissionv1.Update}, rule.Operations); diff != "" {
				t.Errorf("operations (-want +got):\n%s", diff)
			}
			for _, binding := range policy.Bindings {
				if (binding.Spec.ParamRef == nil) != (spec.ParamKind == nil) {
					t.Errorf("%s: paramRef %v with paramKind %v", binding.Name, binding.Spec.ParamRef, spec.ParamKind)
				}
			}
		})
	}
}

// TestOldestKubernetes compiles every expression as the oldest supported
// kube-apiserver does.
func TestOldestKubernetes(t *testing.T) {
	var variables []cel.EnvOption
	for _, name := range []string{"object", "oldObject", "params", "request", "variables"} {
		variables = append(variables, cel.Variable(name, cel.DynType))
	}
	oldest := version.MustParseGeneric(corpus.OldestKubernetes)
	set, err := environment.MustBaseEnvSet(oldest).Extend(environment.VersionedOptions{IntroducedVersion: oldest, EnvOptions: variables})
	if err != nil {
		t.Fatal(err)
	}
	env := set.NewExpressionsEnv()
	if _, issues := env.Compile("object.split(1)"); issues.Err() == nil {
		t.Error("a call that no version has compiles")
	}
	for _, policy := range policies(t) {
		var expressions []string
		for _, variable := range policy.Policy.Spec.Variables {
			expressions = append(expressions, variable.Expression)
		}
		for _, validation := range policy.Policy.Spec.Validations {
			expressions = append(expressions, validation.Expression, validation.MessageExpression)
		}
		for _, expression := range expressions {
			if _, issues := env.Compile(expression); issues.Err() != nil {
				t.Errorf("%s: %v", policy.Policy.Name, issues.Err())
			}
		}
	}
}

func TestDefaultsAreThoseOfTheVerdict(t *testing.T) {
	defaults, _ := scopes.Effective(nil, nil)
	if want := `["` + strings.Join(defaults, `", "`) + `"]`; defaultScopes() != want {
		t.Errorf("got %s, want %s", defaultScopes(), want)
	}
}

func policies(t *testing.T) []Policy {
	t.Helper()
	all, err := Policies()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
