// Package tree shows the configs of a cluster with their consumers: the verdict,
// the effective scopes and their source, and the state of the rollout. It
// computes the verdicts instead of reading conditions, so they are right even if
// no manager runs.
package tree

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/scopes"
)

// Build returns the tree of a snapshot, sorted by namespace, kind and name.
func Build(snapshot *inventory.Snapshot) Report {
	report := Report{
		APIVersion: APIVersion, Kind: "Tree", Mode: string(snapshot.Mode), Namespace: snapshot.Namespace, Configs: []Config{}, Notes: snapshot.Notes(),
	}
	pairs := map[types.NamespacedName][]inventory.Pair{}
	for _, pair := range snapshot.Pairs() {
		if pair.ConfigName == "" {
			// A VirtualMCPServer is the only consumer of its own config.
			config := newConfig(pair.Consumer.Namespace, pair.Consumer.Kind, pair.Consumer.Name, pair.Consumer.Inline, snapshot, pair)
			config.Verdict = verdictOf(condition.ForConsumer(pair.Pair))
			config.Condition = conditionOf(pair.Consumer.Status, pair.Consumer.Generation)
			report.Configs = append(report.Configs, config)
			continue
		}
		at := types.NamespacedName{Namespace: pair.Consumer.Namespace, Name: pair.ConfigName}
		pairs[at] = append(pairs[at], pair)
	}
	for _, object := range snapshot.Configs {
		if !resolve.RunsAuthServer(object) {
			continue
		}
		at := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
		var resolved []resolve.Pair
		for _, pair := range pairs[at] {
			resolved = append(resolved, pair.Pair)
		}
		config := newConfig(at.Namespace, resolve.KindMCPExternalAuthConfig, at.Name, object.Spec.EmbeddedAuthServer, snapshot, pairs[at]...)
		config.Verdict = verdictOf(condition.ForConfig(object, resolved))
		config.Condition = conditionOf(&object.Status, object.Generation)
		report.Configs = append(report.Configs, config)
		delete(pairs, at)
	}
	for at, dangling := range pairs {
		config := newConfig(at.Namespace, resolve.KindMCPExternalAuthConfig, at.Name, nil, snapshot, dangling...)
		config.Verdict = Verdict{State: notFound, Message: dangling[0].Verdict.Why}
		report.Configs = append(report.Configs, config)
	}
	slices.SortFunc(report.Configs, func(a, b Config) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return report
}

// newConfig returns a Config without its verdict and condition. server is nil if
// the config does not exist.
func newConfig(namespace, kind, name string, server *v1alpha1.EmbeddedAuthServerConfig, snapshot *inventory.Snapshot, pairs ...inventory.Pair) Config {
	config := Config{Namespace: namespace, Kind: kind, Name: name, Found: server != nil, Baseline: []string{}, Consumers: make([]Consumer, len(pairs))}
	if server != nil {
		config.Baseline, config.ScopesSupported = append(config.Baseline, server.BaselineClientScopes...), server.ScopesSupported
	}
	for i, pair := range pairs {
		verdict := verdictOf(condition.ForConsumer(pair.Pair))
		verdict.Missing, verdict.Cause = pair.Verdict.Missing, pair.Verdict.Cause
		config.Consumers[i] = Consumer{
			Kind: pair.Consumer.Kind, Name: pair.Consumer.Name, Verdict: verdict, Effective: pair.Verdict.Effective,
			Rollout:   rolloutOf(snapshot, pair),
			Condition: conditionOf(pair.Consumer.Status, pair.Consumer.Generation),
		}
		if len(pair.Verdict.Effective) > 0 {
			config.Consumers[i].Source = sources[pair.Verdict.Source]
		}
	}
	return config
}

var sources = map[scopes.Source]string{
	scopes.FromScopesSupported: "scopesSupported", scopes.FromOIDCConfigRef: "oidcConfigRef", scopes.FromDefaults: "defaults",
}

// The states of verdicts. states maps the condition's reasons to them.
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
