package cel_test

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// targetShare is the most that an expression may cost of the budget: far from
// where another release of Kubernetes, which estimates otherwise, would refuse
// the CRD. baselineShare is that of the rules on a baseline.
const (
	targetShare   = 0.02
	baselineShare = 0.002
)

// TestCosts compares what the API server estimates for every expression with
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
	// The linter does not count what evaluating costs, since no object can use up
	// what the API server allows even for one expression.
	for kind, cost := range together {
		if cost > celconfig.PerCallLimit {
			t.Errorf("the expressions of %s cost %d together, %d at most are allowed", kind, cost, celconfig.PerCallLimit)
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
			t.Errorf("the %s of %s costs %.5f of the budget, %.3f at most are allowed", expression, rule, share(cost), most)
		}
	}
}

func share(cost uint64) float64 { return float64(cost) / corpus.Budget }
