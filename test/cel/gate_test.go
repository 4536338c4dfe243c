package cel_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// kubernetes is the version whose kube-apiserver the suites run.
var kubernetes = version.MajorMinor(1, 37)

// mutations returns all rules, with the cases that notice when the rule is
// replaced.
var mutations = sync.OnceValues(func() ([]corpus.Tested, error) {
	schemas, err := corpus.Schemas()
	if err != nil {
		return nil, err
	}
	cases, err := corpus.Load(os.DirFS(testdata))
	if err != nil {
		return nil, err
	}
	var all []corpus.Tested
	for _, schema := range schemas {
		rules, err := corpus.Rules(schema, kubernetes)
		if err != nil {
			return nil, err
		}
		all = append(all, corpus.Mutate(schema, rules, cases)...)
	}
	return all, nil
})

func loadMutations(t *testing.T) []corpus.Tested {
	t.Helper()
	all, err := mutations()
	expect.NoError(t, err)
	return all
}

// TestMutations replaces every rule at every place by true and by false. A case
// in the rule's own folder must notice each replacement. Each folder must test
// one rule, and a rule must have the same ID on all kinds.
func TestMutations(t *testing.T) {
	expressions, ids, used := map[string]string{}, map[string]string{}, map[string]bool{}
	for _, tested := range loadMutations(t) {
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
	for _, c := range corpus.Cases(t, testdata) {
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

// TestCosts compares the API server's cost estimate of every expression with
// the golden file.
func TestCosts(t *testing.T) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) }
	priced := func(tested corpus.Tested, expression string, cost uint64) {
		id := strings.Join(tested.IDs(), ",")
		row(tested.Kind, tested.Path, id, expression, fmt.Sprint(cost), fmt.Sprintf("%.6f", share(cost)))
	}
	together := map[string]uint64{}
	row("KIND", "PATH", "RULE", "EXPRESSION", "COST", "SHARE")
	for _, tested := range loadMutations(t) {
		checkCost(t, tested.Rule)
		together[tested.Kind] += tested.Cost + tested.MessageCost
		priced(tested, "rule", tested.Cost)
		if tested.MessageExpression != "" {
			priced(tested, "messageExpression", tested.MessageCost)
		}
	}
	// The linter does not limit the cost of an evaluation. All expressions of a
	// kind together must therefore stay below the API server's limit for one of
	// them.
	for kind, cost := range together {
		if cost > celconfig.PerCallLimit {
			t.Errorf("the expressions of %s together cost %d, want at most %d", kind, cost, celconfig.PerCallLimit)
		}
	}
	_ = table.Flush()
	expect.Golden(t, *update, "testdata/costs.golden", text.String())
}

// TestOldestKubernetes compiles all rules as the oldest supported kube-apiserver
// does.
func TestOldestKubernetes(t *testing.T) {
	for _, schema := range loadSchemas(t) {
		rules, err := corpus.Rules(schema, version.MustParseGeneric(corpus.OldestKubernetes))
		if err != nil {
			t.Errorf("on Kubernetes %s: %v", corpus.OldestKubernetes, err)
		}
		for _, rule := range rules {
			checkCost(t, rule)
		}
	}
}

func checkCost(t *testing.T, rule corpus.Rule) {
	t.Helper()
	most := targetShare
	if strings.HasSuffix(rule.FieldPath, ".baselineClientScopes") {
		most = baselineShare
	}
	for expression, cost := range map[string]uint64{"rule": rule.Cost, "messageExpression": rule.MessageCost} {
		if share(cost) > most {
			t.Errorf("the %s of %s costs %.5f of the budget, want at most %.3f", expression, rule, share(cost), most)
		}
	}
}

func share(cost uint64) float64 { return float64(cost) / corpus.Budget }
