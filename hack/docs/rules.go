package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/scopegate/scopegate/test/corpus"
)

const rulesHead = `# Static rules

What the API server itself rejects, whether scopegate's manager runs or not: the CEL rules of the CRDs, in both versions. Each has an id, which
is the name of its folder of examples, ` + "`test/testdata/<kind>/<id>`" + `: what it accepts, and what it rejects with which causes. All are held to compile on Kubernetes %s and later.

A rule does not lock an object that was stored before it: such an object can be edited until one of the values that the rule reads is touched. Rules that read ` + "`oldSelf`" + ` see to
that themselves. The others are ratcheted by the API server: they let an edit pass that leaves the object at which the rule stands, ` + "`self`" + `, as it was. It can't tell so
of an object that holds content of which the schema says nothing: every rule on such an object is of the first sort.

The cost is what the API server estimates for the worst case, and its share of the 10,000,000 that it allows an expression; in a list, for as many entries as it may have.

`

// rule is a rule with all of its places.
type rule struct {
	id     string
	places []corpus.Tested
}

func rulesPage() (string, error) {
	rules, err := allRules()
	if err != nil {
		return "", err
	}
	var page strings.Builder
	fmt.Fprintf(&page, rulesHead, corpus.OldestKubernetes)
	page.WriteString("| id | kinds | message |\n| --- | --- | --- |\n")
	for _, rule := range rules {
		fmt.Fprintf(&page, "| [`%s`](#%s) | %s | %s |\n", rule.id, rule.id, strings.Join(rule.kinds(), ", "), cell(rule.places[0].Message))
	}
	for _, rule := range rules {
		rule.write(&page)
	}
	return page.String(), nil
}

// allRules returns the rules in the order of their ids, as the cases name them.
func allRules() ([]rule, error) {
	cases, err := corpus.Load(os.DirFS("test/testdata"))
	if err != nil {
		return nil, err
	}
	schemas, err := corpus.Schemas()
	if err != nil {
		return nil, err
	}
	current := environment.DefaultCompatibilityVersion()
	byID := map[string]*rule{}
	for _, schema := range schemas {
		rules, err := corpus.Rules(schema, version.MajorMinor(current.Major(), current.Minor()))
		if err != nil {
			return nil, err
		}
		for _, tested := range corpus.Mutate(schema, rules, cases) {
			ids := tested.IDs()
			if len(ids) != 1 {
				return nil, fmt.Errorf("%s has the ids %v: it needs reject cases in one folder of test/testdata", tested, ids)
			}
			if byID[ids[0]] == nil {
				byID[ids[0]] = &rule{id: ids[0]}
			}
			byID[ids[0]].places = append(byID[ids[0]].places, tested)
		}
	}
	var all []rule
	for _, found := range byID {
		all = append(all, *found)
	}
	slices.SortFunc(all, func(a, b rule) int { return strings.Compare(a.id, b.id) })
	return all, nil
}

func (r rule) kinds() []string {
	var kinds []string
	for _, place := range r.places {
		kinds = append(kinds, place.Kind)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func (r rule) write(page *strings.Builder) {
	first := r.places[0]
	fmt.Fprintf(page, "\n## %s\n\n", r.id)
	page.WriteString("| kind | self | field | cost | share |\n| --- | --- | --- | --- | --- |\n")
	for _, place := range r.places {
		fmt.Fprintf(page, "| %s | `%s` | `%s` | %s |\n", place.Kind, place.Path, place.Field(), cost(place.Cost))
		if place.MessageExpression != "" {
			fmt.Fprintf(page, "| | | its message | %s |\n", cost(place.MessageCost))
		}
	}
	fmt.Fprintf(page, "\nMessage: %s.\n\n", first.Message)
	fmt.Fprintf(page, "```\n%s\n```\n", first.ValidationRule.Rule)
	if first.MessageExpression != "" {
		fmt.Fprintf(page, "\nThe message in detail:\n\n```\n%s\n```\n", first.MessageExpression)
	}
	example := first.Rejects[0]
	fmt.Fprintf(page, "\nExample, from [`%s`](../test/testdata/%s):\n\n```\n", example.Path, example.Path)
	for _, cause := range example.Causes {
		fmt.Fprintln(page, causeText(cause))
	}
	page.WriteString("```\n")
}

// causeText is a cause as kubectl prints it.
func causeText(cause metav1.StatusCause) string { return cause.Field + ": " + cause.Message }

func cost(cost uint64) string {
	return fmt.Sprintf("%d | %.4f %%", cost, 100*float64(cost)/corpus.Budget)
}
