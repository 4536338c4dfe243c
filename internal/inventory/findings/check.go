// Package findings reports what is wrong in a cluster before and after the guard is
// installed: pairs that are not supported, and namespaces where the guard is off or
// whose mode is unknown.
package findings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status/message"
)

// severities has the severity of each rule. Rule IDs are API; docs/tree.md
// describes them.
var severities = map[string]Severity{
	"pair/not-supported": Error,
	"pair/unresolved":    Warning,
	"guard/unknown-mode": Error,
	"guard/off":          Note,
}

// Run returns the findings on a snapshot, sorted by namespace, kind, name and
// rule.
func Run(snapshot *inventory.Snapshot, installed inventory.Installation) Report {
	b := builder{installed, Report{
		APIVersion: APIVersion, Kind: "Inventory", Findings: []Finding{}, Notes: append(snapshot.Notes(), installed.Warnings()...),
		Found: installed.Found, Guard: installed.Installed, Summary: Summary{Modes: map[string]int{}},
	}}
	for _, pair := range snapshot.Pairs() {
		b.pair(pair)
	}
	for name := range installed.Namespaces {
		b.namespace(name)
	}
	slices.SortFunc(b.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Object.Namespace, b.Object.Namespace), cmp.Compare(a.Object.Kind, b.Object.Kind),
			cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Rule, b.Rule))
	})
	return b.report
}

type builder struct {
	installed inventory.Installation
	report    Report
}

func (b *builder) add(rule string, object Object, mode, message string) {
	b.report.Findings = append(b.report.Findings, Finding{rule, severities[rule], object, message, mode})
}

func (b *builder) pair(pair inventory.Pair) {
	consumer, summary := pair.Consumer, &b.report.Summary
	object := Object{consumer.Kind, consumer.Namespace, consumer.Name}
	mode, _ := b.installed.ModeOf(consumer.Namespace)
	summary.Pairs++
	if mode != "" {
		summary.Modes[mode]++
	}
	if mode == guard.ModeOff {
		b.add("guard/off", object, mode, fmt.Sprintf("the guard is off in namespace %q", consumer.Namespace))
	}
	switch pair.Verdict.State {
	case resolve.Unresolved:
		summary.Unresolved++
		b.add("pair/unresolved", object, mode, message.ForConsumer(pair.Pair).Message)
	case resolve.NotSupported:
		summary.NotSupported++
		b.add("pair/not-supported", object, mode, message.ForConsumer(pair.Pair).Message)
	}
}

func (b *builder) namespace(name string) {
	mode, known := b.installed.ModeOf(name)
	if known {
		return
	}
	b.add("guard/unknown-mode", Object{"Namespace", "", name}, mode, fmt.Sprintf(
		"the label %s has the value %q, which is not a mode, so the default of the installation applies (%s): set it to %s, or remove it",
		guard.ModeLabel, b.installed.Namespaces[name][guard.ModeLabel], cmp.Or(mode, "no policy is installed"), strings.Join(guard.Modes, ", ")))
}
