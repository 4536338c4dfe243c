// Package guardcheck reports what is wrong in a cluster before and after the guard is
// installed: pairs that are not supported or not resolved, consumers in namespaces where
// the guard is off, and namespaces whose label is not a mode, or whose mode does not suit
// their GitOps tool.
package guardcheck

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/resolve"
)

// severities has the severity of each rule. Rule IDs are API; docs/tree.md
// describes them.
var severities = map[string]Severity{
	"pair/not-supported":  Error,
	"pair/unresolved":     Warning,
	"guard/unknown-mode":  Error,
	"guard/strict-gitops": Warning,
	"guard/off":           Note,
}

// Run returns the findings on a snapshot, sorted by namespace, kind, name and
// rule.
func Run(snapshot *inventory.Snapshot, installed inventory.Installation) Report {
	b := builder{installed, Report{
		APIVersion: APIVersion, Kind: "Inventory", Namespace: snapshot.Namespace, Found: installed.Found, Guard: installed.Guard,
		Summary: Summary{Modes: map[string]int{}}, Findings: []Finding{}, Notes: append(snapshot.Notes(), installed.Warnings()...),
	}}
	for _, pair := range snapshot.Pairs() {
		b.pair(pair)
	}
	for name, labels := range installed.Namespaces {
		if mode, labelled := labels[guard.ModeLabel]; labelled && !slices.Contains(guard.Modes, mode) {
			b.unknownMode(name, mode)
		}
	}
	b.strictGitOps(snapshot)
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
	b.report.Findings = append(b.report.Findings, Finding{rule, severities[rule], object, mode, message})
}

func (b *builder) pair(pair inventory.Pair) {
	consumer, summary := pair.Consumer, &b.report.Summary
	object := Object{consumer.Kind, consumer.Namespace, consumer.Name}
	mode := b.installed.ModeOf(consumer.Namespace)
	summary.Pairs++
	summary.Modes[mode]++
	// The label also counts before the guard is installed.
	if b.installed.Namespaces[consumer.Namespace][guard.ModeLabel] == guard.ModeOff {
		b.add("guard/off", object, mode, fmt.Sprintf("the guard is off in namespace %q", consumer.Namespace))
	}
	switch pair.Verdict.State {
	case resolve.Unresolved:
		summary.Unresolved++
		b.add("pair/unresolved", object, mode, condition.ForConsumer(pair.Pair).Message)
	case resolve.NotSupported:
		summary.NotSupported++
		b.add("pair/not-supported", object, mode, condition.ForConsumer(pair.Pair).Message)
	}
}

func (b *builder) unknownMode(namespace, label string) {
	b.add("guard/unknown-mode", Object{Kind: "Namespace", Name: namespace}, b.installed.ModeOf(namespace), fmt.Sprintf(
		"the label %s is %q, which is not a mode, so the namespace is treated as one without the label: set it to one of %s, or remove it",
		guard.ModeLabel, label, strings.Join(guard.Modes, ", ")))
}

// gitOpsManagers are the field managers of Argo CD and Flux.
var gitOpsManagers = []string{"argocd-controller", "argocd-application-controller", "kustomize-controller", "helm-controller"}

// strictGitOps reports each namespace in mode strict of which a GitOps tool manages an
// object.
func (b *builder) strictGitOps(snapshot *inventory.Snapshot) {
	reported := map[string]bool{}
	report := func(object Object, fields []metav1.ManagedFieldsEntry) {
		at := slices.IndexFunc(fields, func(f metav1.ManagedFieldsEntry) bool { return slices.Contains(gitOpsManagers, f.Manager) })
		if at < 0 || reported[object.Namespace] || b.installed.ModeOf(object.Namespace) != guard.ModeStrict {
			return
		}
		reported[object.Namespace] = true
		b.add("guard/strict-gitops", Object{Kind: "Namespace", Name: object.Namespace}, guard.ModeStrict, fmt.Sprintf(
			"mode strict rejects correct commits of several objects, and %q manages %s: use mode enforce where a GitOps tool applies", fields[at].Manager, object))
	}
	for _, config := range snapshot.Configs {
		report(Object{resolve.KindMCPExternalAuthConfig, config.Namespace, config.Name}, config.ManagedFields)
	}
	for _, consumer := range snapshot.Consumers {
		report(Object{consumer.Kind, consumer.Namespace, consumer.Name}, consumer.ManagedFields)
	}
}
