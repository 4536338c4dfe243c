// Package inventory takes stock of a cluster before and after it adopts the
// guard: what is bad already, what the guard holds, what it leaves alone, and what
// would be released without it.
package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/scopegate/scopegate/internal/live"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status/words"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// Severity of a finding, as of one of the linter.
type Severity string

// The severities.
const (
	// Error is what makes an auth server refuse to start, now or once it restarts.
	Error Severity = "error"
	// Warning is what could not be told, or what should not stay.
	Warning Severity = "warning"
	// Note is what an administrator chose.
	Note Severity = "note"
)

// The rules. Their ids are API.
const (
	// RuleNotSupported finds a pair that is bad already.
	RuleNotSupported = "pair/not-supported"
	// RuleUnresolved finds a pair whose effective scopes can't be told.
	RuleUnresolved = "pair/unresolved"
	// RuleStoredNotSupported finds a stored run config that its auth server
	// refuses.
	RuleStoredNotSupported = "stored/not-supported"
	// RuleStoredUnreadable finds a stored run config that can't be decoded.
	RuleStoredUnreadable = "stored/unreadable"
	// RuleHeld finds a ConfigMap that the guard keeps as it was.
	RuleHeld = "guard/held"
	// RuleReleased finds what ToolHive's operator would roll out without the guard.
	RuleReleased = "guard/released"
	// RuleExempt finds what the guard is told to leave alone.
	RuleExempt = "guard/exempt"
	// RuleExemptUnknown finds an exemption of an object that does not exist.
	RuleExemptUnknown = "guard/exempt-unknown"
)

var severities = map[string]Severity{
	RuleNotSupported: Error, RuleUnresolved: Warning, RuleStoredNotSupported: Error, RuleStoredUnreadable: Error,
	RuleHeld: Warning, RuleReleased: Warning, RuleExempt: Note, RuleExemptUnknown: Warning,
}

// Take takes stock.
func Take(snapshot *live.Snapshot, settings live.Settings, namespace string) Report {
	t := taker{settings: settings, report: Report{
		APIVersion: APIVersion, Kind: "Inventory", Findings: []Finding{},
		Guard: Guard{Policies: list(settings.Policies), Mode: settings.Mode},
		Notes: notes(snapshot, settings),
	}}
	exists := map[string]bool{}
	for _, consumer := range snapshot.Consumers {
		exists[entry(consumer.Consumer)] = true
	}
	for _, pair := range snapshot.Pairs() {
		t.report.Summary.Pairs++
		t.pair(pair, snapshot.ConfigMapsOf(pair.Consumer))
	}
	for _, configMap := range snapshot.ConfigMaps {
		t.stored(configMap)
	}
	for _, exempt := range settings.Exempt {
		if parts := strings.Split(exempt, "/"); !exists[exempt] && (namespace == "" || (len(parts) == 3 && parts[1] == namespace)) {
			t.add(RuleExemptUnknown, Object{Kind: "ConfigMap", Namespace: live.ParametersNamespace, Name: live.ParametersName},
				fmt.Sprintf("the guard is told to exempt %q, which is no consumer of the cluster: remove the entry, or correct it to Kind/namespace/name", exempt))
		}
	}
	slices.SortStableFunc(t.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Object.Namespace, b.Object.Namespace), cmp.Compare(a.Object.Kind, b.Object.Kind),
			cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Rule, b.Rule))
	})
	return t.report
}

type taker struct {
	settings live.Settings
	report   Report
}

func (t *taker) pair(pair live.Pair, configMaps []*corev1.ConfigMap) {
	consumer := pair.Consumer
	object := Object{Kind: consumer.Kind, Namespace: consumer.Namespace, Name: consumer.Name}
	switch pair.Verdict.State {
	case resolve.NotSupported:
		t.report.Summary.NotSupported++
		t.add(RuleNotSupported, object, words.ForConsumer(pair.Pair).Message)
	case resolve.Unresolved:
		t.report.Summary.Unresolved++
		t.add(RuleUnresolved, object, words.ForConsumer(pair.Pair).Message)
	}
	exempt := t.exempt(consumer.Consumer)
	if exempt != "" {
		t.report.Summary.Exempt++
		t.add(RuleExempt, object, exempt)
	}
	if pair.Verdict.State == resolve.NotSupported && len(t.settings.Policies) > 0 && exempt == "" && !storedBad(configMaps) {
		t.report.Summary.Released++
		t.add(RuleReleased, object, fmt.Sprintf("without the guard ToolHive's operator would roll out %s with a baseline that its auth server refuses to start with: correct it before you remove the guard", consumer))
	}
}

// exempt says why the guard leaves a consumer alone, or nothing.
func (t *taker) exempt(consumer resolve.Consumer) string {
	if slices.Contains(t.settings.Exempt, entry(consumer)) {
		return fmt.Sprintf("the guard's parameters exempt %s", entry(consumer))
	}
	if t.settings.Off[consumer.Namespace] {
		return fmt.Sprintf("the guard is off in namespace %q", consumer.Namespace)
	}
	return ""
}

// storedBad tells whether ToolHive's operator rolled the bad run config out
// already.
func storedBad(configMaps []*corev1.ConfigMap) bool {
	return slices.ContainsFunc(configMaps, func(configMap *corev1.ConfigMap) bool {
		servers, err := toolhive.AuthServers(configMap.Data, toolhive.DefaultScopes)
		return err == nil && slices.ContainsFunc(servers, func(server toolhive.AuthServer) bool { return len(server.Missing) > 0 })
	})
}

func (t *taker) stored(configMap *corev1.ConfigMap) {
	object := Object{Kind: "ConfigMap", Namespace: configMap.Namespace, Name: configMap.Name}
	servers, err := toolhive.AuthServers(configMap.Data, toolhive.DefaultScopes)
	if err != nil {
		t.add(RuleStoredUnreadable, object, fmt.Sprintf("the run config can't be read: %v", err))
	}
	for _, server := range servers {
		t.report.Summary.RunConfigs++
		if len(server.Missing) > 0 {
			t.report.Summary.StoredBad++
			t.add(RuleStoredNotSupported, object, words.Stored(server))
		}
	}
	if live.IsHeld(configMap) {
		t.report.Summary.Held++
		t.add(RuleHeld, object, "the guard keeps the last good run config, against a bad one that ToolHive's operator would write: correct the baseline, and it goes on")
	}
}

func (t *taker) add(rule string, object Object, message string) {
	t.report.Findings = append(t.report.Findings, Finding{Rule: rule, Severity: severities[rule], Object: object, Message: message})
}

// entry is a consumer as the guard's parameters name it.
func entry(consumer resolve.Consumer) string {
	return strings.Join([]string{consumer.Kind, consumer.Namespace, consumer.Name}, "/")
}

func notes(snapshot *live.Snapshot, settings live.Settings) []string {
	notes := snapshot.HiddenNotes()
	for what, why := range settings.Hidden {
		notes = append(notes, fmt.Sprintf("%s could not be read: %s", what, why))
	}
	slices.Sort(notes)
	return notes
}

func list(items []string) []string {
	if items == nil {
		return []string{}
	}
	return items
}
