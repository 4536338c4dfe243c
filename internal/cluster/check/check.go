// Package check reports what is wrong in a cluster before and after the guard is
// installed: pairs that are not supported, what the guard holds, where it is off,
// what it would do in mode deny, and what would be released without it.
package check

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/scopegate/scopegate/internal/cluster"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status/message"
)

// severities has the severity of each rule. Rule IDs are API; docs/tree.md
// describes them.
var severities = map[string]Severity{
	"pair/not-supported":   Error,
	"pair/unresolved":      Warning,
	"stored/not-supported": Error,
	"stored/unreadable":    Error,
	"stored/not-in-layout": Warning,
	"guard/held":           Warning,
	"guard/released":       Warning,
	"guard/off":            Note,
}

// Run returns the findings on a snapshot, sorted by namespace, kind, name and
// rule.
func Run(snapshot *cluster.Snapshot, installed cluster.Installation) Report {
	b := builder{installed, Report{
		APIVersion: APIVersion, Kind: "Inventory", Findings: []Finding{}, Notes: append(snapshot.Notes(), installed.Warnings()...),
		Found: installed.Found, Guard: installed.Installed, Summary: Summary{Deny: map[string]int{}},
	}}
	for _, pair := range snapshot.Pairs() {
		b.pair(pair)
	}
	for _, consumer := range snapshot.Consumers {
		for _, runConfig := range consumer.RunConfigs {
			b.runConfig(Object{"ConfigMap", consumer.Namespace, runConfig.Name}, runConfig)
		}
	}
	slices.SortStableFunc(b.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Object.Namespace, b.Object.Namespace), cmp.Compare(a.Object.Kind, b.Object.Kind),
			cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Rule, b.Rule))
	})
	return b.report
}

type builder struct {
	installed cluster.Installation
	report    Report
}

func (b *builder) add(rule string, object Object, message string, deny ...string) {
	b.report.Findings = append(b.report.Findings, Finding{rule, severities[rule], object, message, deny})
}

func (b *builder) pair(pair cluster.Pair) {
	consumer, summary := pair.Consumer, &b.report.Summary
	object := Object{consumer.Kind, consumer.Namespace, consumer.Name}
	namespace := b.installed.Namespaces[consumer.Namespace]
	isOff := namespace[guard.ModeLabel] == guard.ModeOff
	summary.Pairs++
	if isOff {
		summary.Off++
		b.add("guard/off", object, fmt.Sprintf("the guard is off in namespace %q", consumer.Namespace))
	}
	switch pair.Verdict.State {
	case resolve.Unresolved:
		summary.Unresolved++
		b.add("pair/unresolved", object, message.ForConsumer(pair.Pair).Message)
	case resolve.NotSupported:
		summary.NotSupported++
		var deny []string
		if len(b.installed.Policies) > 0 && !isOff {
			deny = b.deny(consumer)
		}
		for _, what := range deny {
			summary.Deny[what]++
		}
		b.add("pair/not-supported", object, message.ForConsumer(pair.Pair).Message, deny...)
		if b.installed.Denies.Match(namespace) && (slices.Contains(deny, runConfigHeld) || slices.Contains(deny, runConfigRejected)) {
			summary.Released++
			b.add("guard/released", object, fmt.Sprintf("without the guard ToolHive's operator would roll out %s with a baseline that its auth server refuses to start with: correct it before you remove the guard", consumer.Consumer))
		}
	}
}

// deny returns what the guard does in mode deny with a pair that is not
// supported.
func (b *builder) deny(consumer *cluster.Consumer) []string {
	var deny []string
	// With two references the result depends on both configs, and a policy sees
	// only one.
	if len(consumer.ConfigNames()) < 2 {
		deny = append(deny, editRejected)
	}
	if len(consumer.RunConfigs) == 0 {
		return append(deny, runConfigRejected)
	}
	namespace := b.installed.Namespaces[consumer.Namespace]
	if !b.installed.Denies.Match(namespace) {
		namespace = labels.Merge(namespace, labels.Set{guard.ModeLabel: guard.ModeDeny})
	}
	held := b.installed.Holds.Match(namespace)
	for _, runConfig := range consumer.RunConfigs {
		for _, server := range runConfig.Servers {
			// The hold does not apply to a stored run config that is bad already
			// or that the policies do not read.
			held = held && len(server.Missing) == 0 && server.InLayout
		}
	}
	if held {
		deny = append(deny, runConfigHeld)
	}
	return deny
}

func (b *builder) runConfig(object Object, runConfig cluster.RunConfig) {
	summary := &b.report.Summary
	if runConfig.Err != nil {
		b.add("stored/unreadable", object, fmt.Sprintf("the run config can't be read: %v", runConfig.Err))
	}
	for _, server := range runConfig.Servers {
		summary.RunConfigs++
		if len(server.Missing) > 0 {
			summary.StoredBad++
			b.add("stored/not-supported", object, message.Stored(server))
		}
		if !server.InLayout && len(server.Baseline) > 0 {
			b.add("stored/not-in-layout", object, fmt.Sprintf("the guard's policies do not see the lists in %s, which are not written as ToolHive writes them: it is neither rejected nor held", server.Key))
		}
	}
	if runConfig.Held {
		summary.Held++
		b.add("guard/held", object, "the guard keeps the last good run config instead of the bad one from ToolHive's operator: correct the baseline to release it")
	}
}
