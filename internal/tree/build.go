package tree

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/live"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/status/words"
)

// Build makes the tree of what a cluster holds.
func Build(snapshot *live.Snapshot) Report {
	report := Report{APIVersion: APIVersion, Kind: "Tree", Mode: string(snapshot.Mode), Configs: []Config{}, Notes: snapshot.HiddenNotes()}
	type id struct{ namespace, name string }
	pairs := map[id][]live.Pair{}
	for _, pair := range snapshot.Pairs() {
		if pair.ConfigName == "" {
			report.Configs = append(report.Configs, inline(snapshot, pair))
			continue
		}
		at := id{pair.Consumer.Namespace, pair.ConfigName}
		pairs[at] = append(pairs[at], pair)
	}
	for _, config := range snapshot.Configs {
		at := id{config.Namespace, config.Name}
		if !resolve.Embedded(config) {
			continue
		}
		server := config.Spec.EmbeddedAuthServer
		var resolved []resolve.Pair
		for _, pair := range pairs[at] {
			resolved = append(resolved, pair.Pair)
		}
		report.Configs = append(report.Configs, Config{
			Namespace: config.Namespace, Kind: resolve.KindMCPExternalAuthConfig, Name: config.Name, Found: true,
			Baseline: list(server.BaselineClientScopes), ScopesSupported: server.ScopesSupported,
			Verdict:   verdictOf(words.ForConfig(config, resolved)),
			Condition: conditionOf(&config.Status, config.Generation),
			Consumers: consumersOf(snapshot, pairs[at]),
		})
		delete(pairs, at)
	}
	for at, dangling := range pairs {
		report.Configs = append(report.Configs, Config{
			Namespace: at.namespace, Kind: resolve.KindMCPExternalAuthConfig, Name: at.name, Baseline: []string{},
			Verdict:   Verdict{State: notFound, Message: dangling[0].Verdict.Why},
			Consumers: consumersOf(snapshot, dangling),
		})
	}
	slices.SortFunc(report.Configs, func(a, b Config) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return report
}

// inline is the config of a VirtualMCPServer, which is its own only consumer.
func inline(snapshot *live.Snapshot, pair live.Pair) Config {
	return Config{
		Namespace: pair.Consumer.Namespace, Kind: pair.Consumer.Kind, Name: pair.Consumer.Name, Found: true,
		Baseline: list(pair.Consumer.Inline.BaselineClientScopes), ScopesSupported: pair.Consumer.Inline.ScopesSupported,
		Verdict:   verdictOf(words.ForConsumer(pair.Pair)),
		Condition: conditionOf(pair.Consumer.Status, pair.Consumer.Generation),
		Consumers: consumersOf(snapshot, []live.Pair{pair}),
	}
}

func consumersOf(snapshot *live.Snapshot, pairs []live.Pair) []Consumer {
	consumers := make([]Consumer, len(pairs))
	for i, pair := range pairs {
		verdict := verdictOf(words.ForConsumer(pair.Pair))
		verdict.Missing, verdict.Cause = pair.Verdict.Missing, pair.Verdict.Cause
		consumers[i] = Consumer{
			Kind: pair.Consumer.Kind, Name: pair.Consumer.Name, Verdict: verdict, Effective: pair.Verdict.Effective,
			Rollout:   rolloutOf(snapshot, pair),
			Condition: conditionOf(pair.Consumer.Status, pair.Consumer.Generation),
		}
		if len(pair.Verdict.Effective) > 0 {
			consumers[i].Source = sources[pair.Verdict.Source]
		}
	}
	return consumers
}

var sources = map[scopes.Source]string{
	scopes.FromScopesSupported: "scopesSupported", scopes.FromOIDCConfigRef: "oidcConfigRef", scopes.FromDefaults: "defaults",
}

// The states of verdicts, by the reasons of the condition that says the same.
const (
	supported    = "Supported"
	notSupported = "NotSupported"
	unresolved   = "Unresolved"
	notFound     = "NotFound"
)

var states = map[string]string{
	v1alpha1.ReasonBaselineScopesSupported:   supported,
	v1alpha1.ReasonBaselineScopeNotSupported: notSupported,
	v1alpha1.ReasonScopesNotResolved:         unresolved,
	v1alpha1.ReasonNotReferenced:             v1alpha1.ReasonNotReferenced,
}

func verdictOf(condition *metav1.Condition) Verdict {
	return Verdict{State: states[condition.Reason], Message: condition.Message}
}

func conditionOf(status *v1alpha1.Status, generation int64) *Condition {
	condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionBaselineScopesValid)
	if condition == nil {
		return nil
	}
	return &Condition{Status: string(condition.Status), Reason: condition.Reason, Stale: condition.ObservedGeneration < generation}
}

// list is a list that is not null in JSON.
func list(items []string) []string {
	if items == nil {
		return []string{}
	}
	return items
}
