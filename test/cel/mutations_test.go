package cel_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// newestKubernetes is the version whose kube-apiserver the suites run.
const newestKubernetes = "1.37"

func rulesOf(t *testing.T, schema corpus.Schema, kubernetes string) []corpus.Rule {
	t.Helper()
	rules, err := corpus.Rules(schema, version.MustParseGeneric(kubernetes))
	expect.NoError(t, err)
	return rules
}

// TestMutations replaces every rule at every place by true and by false. A case
// in the rule's own folder must notice each replacement. Each folder must test
// one rule, and a rule must have the same ID on all kinds.
func TestMutations(t *testing.T) {
	expressions, ids, used := map[string]string{}, map[string]string{}, map[string]bool{}
	cases := corpus.Cases(t, testdata)
	for _, schema := range loadSchemas(t) {
		for _, tested := range corpus.Mutate(schema, rulesOf(t, schema, newestKubernetes), cases) {
			checkTested(t, tested)
			expression := tested.ValidationRule.Rule
			for _, id := range tested.IDs() {
				if other, ok := expressions[id]; ok && other != expression {
					t.Errorf("the folders %s test two rules:\n%s\n%s", id, other, expression)
				}
				if other, ok := ids[expression]; ok && other != id {
					t.Errorf("%s has two ids: %s and %s", tested, other, id)
				}
				expressions[id], ids[expression], used[strings.ToLower(tested.Kind)+"/"+id] = expression, id, true
			}
		}
	}
	for _, c := range cases {
		if !used[folder(c)] {
			t.Errorf("%s tests no rule: nothing changes in its folder when any is replaced by true", c.Path)
		}
	}
}

func checkTested(t *testing.T, tested corpus.Tested) {
	t.Helper()
	place := fmt.Sprintf("%s (%s)", tested, tested.ValidationRule.Rule)
	ids := tested.IDs()
	switch len(ids) {
	case 0:
		t.Errorf("%s survives: no reject case notices when it is replaced by true", place)
		return
	case 1:
	default:
		t.Errorf("%s has reject cases in the folders of %d rules: %v", place, len(ids), ids)
	}
	if !slices.ContainsFunc(tested.Accepts, func(c corpus.Case) bool { return c.Rule == ids[0] }) {
		t.Errorf("%s survives: no accept case of %s notices when it is replaced by false", place, ids[0])
	}
}

// TestOfflineEvaluation checks that the evaluator of the mutations finds the
// same causes as the API server. Otherwise the mutations would prove nothing.
func TestOfflineEvaluation(t *testing.T) {
	cases := corpus.Cases(t, testdata)
	for _, schema := range loadSchemas(t) {
		evaluate := corpus.Evaluator(schema)
		for _, c := range cases {
			if c.Object.GetKind() != schema.Kind {
				continue
			}
			expect.Equal(t, c.Path+": causes", c.Causes, evaluate(c))
		}
	}
}

// TestVersionsAreTheSame checks that both versions have the same schema, so
// that tests of one version cover both.
func TestVersionsAreTheSame(t *testing.T) {
	crds, err := config.CRDs()
	expect.NoError(t, err)
	for _, crd := range crds {
		alpha, err := corpus.VersionSchema(crd, "v1alpha1")
		expect.NoError(t, err)
		beta, err := corpus.VersionSchema(crd, "v1beta1")
		expect.NoError(t, err)
		expect.Equal(t, crd.Name+": schema", beta, alpha)
	}
}

// targetShare is the maximum share of the budget that an expression may cost.
// It leaves room for Kubernetes releases with other estimates. baselineShare is
// the maximum for the rules on a baseline.
const (
	targetShare   = 0.02
	baselineShare = 0.002
)

// TestCosts compiles all rules as the oldest and the newest supported kube-apiserver do, and
// bounds their estimates of the cost of every expression. docs/rules.md has the estimates.
func TestCosts(t *testing.T) {
	for _, kubernetes := range []string{corpus.OldestKubernetes, newestKubernetes} {
		for _, schema := range loadSchemas(t) {
			together := uint64(0)
			for _, rule := range rulesOf(t, schema, kubernetes) {
				together += rule.Cost + rule.MessageCost
				most := targetShare
				if strings.HasSuffix(rule.FieldPath, ".baselineClientScopes") {
					most = baselineShare
				}
				for expression, cost := range map[string]uint64{"rule": rule.Cost, "messageExpression": rule.MessageCost} {
					if share := float64(cost) / corpus.Budget; share > most {
						t.Errorf("on Kubernetes %s the %s of %s costs %.5f of the budget, want at most %.3f", kubernetes, expression, rule, share, most)
					}
				}
			}
			// The linter does not limit the cost of an evaluation. All expressions of a
			// kind together must therefore stay below the API server's limit for one of
			// them.
			if together > celconfig.PerCallLimit {
				t.Errorf("the expressions of %s together cost %d, want at most %d", schema.Kind, together, celconfig.PerCallLimit)
			}
		}
	}
}
