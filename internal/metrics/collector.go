// Package metrics counts verdicts and held rollouts in the cache on each scrape.
// A series for each object would need more memory than the object itself.
package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/guard/writer"
	"github.com/scopegate/scopegate/internal/kinds"
)

// scrapeTimeout limits the wait for a cache that is not synced yet.
const scrapeTimeout = 5 * time.Second

var (
	objects = prometheus.NewDesc("scopegate_baseline_scopes_valid",
		"Objects by the status and the reason of their condition BaselineScopesValid. Those that are False also by namespace.",
		[]string{"kind", "status", "reason", "object_namespace"}, nil)
	held = prometheus.NewDesc("scopegate_rollouts_held",
		"Objects whose rollout is held. Running pods stay unchanged. Only in standalone mode.",
		[]string{"kind"}, nil)
	stoodDown = prometheus.NewDesc("scopegate_guard_stood_down",
		"Objects that the guard does not write, because another writer decides on their condition BaselineScopesValid. Only in guard mode.",
		[]string{"kind"}, nil)
)

// Collector collects the metrics of scopegate from a cache.
type Collector struct {
	Cache client.Reader
	// Standalone counts the held rollouts, else the objects that the guard does
	// not write.
	Standalone bool
}

// Describe implements prometheus.Collector.
func (c Collector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- objects
	if c.Standalone {
		descriptions <- held
	} else {
		descriptions <- stoodDown
	}
}

// Collect counts the objects in the cache. If it can't list a kind, it omits that
// kind and logs the error.
func (c Collector) Collect(samples chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	for _, kind := range kinds.All {
		list := kind.EmptyList()
		if err := c.Cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			log.Log.WithName("metrics").Error(err, "counting objects", "kind", kind.Name)
			continue
		}
		collectVerdicts(samples, kind.Name, list)
		switch {
		case !c.Standalone:
			samples <- prometheus.MustNewConstMetric(stoodDown, prometheus.GaugeValue, count(list, isForeign), kind.Name)
		case kind.Name != kinds.Config.Name:
			samples <- prometheus.MustNewConstMetric(held, prometheus.GaugeValue, count(list, isHeld), kind.Name)
		}
	}
}

func collectVerdicts(samples chan<- prometheus.Metric, kind string, list client.ObjectList) {
	type verdict struct {
		status            metav1.ConditionStatus
		reason, namespace string
	}
	counts := map[verdict]int{}
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		object := item.(kinds.Object)
		valid := meta.FindStatusCondition(object.GetStatus().Conditions, v1alpha1.ConditionBaselineScopesValid)
		if valid == nil {
			return nil
		}
		v := verdict{status: valid.Status, reason: valid.Reason}
		if writer.Foreign(valid) {
			// Whoever writes it could make as many series as it likes.
			v.reason = "Other"
		}
		if valid.Status == metav1.ConditionFalse {
			v.namespace = object.GetNamespace()
		}
		counts[v]++
		return nil
	})
	for v, count := range counts {
		samples <- prometheus.MustNewConstMetric(objects, prometheus.GaugeValue, float64(count), kind, string(v.status), v.reason, v.namespace)
	}
}

func count(list client.ObjectList, matches func([]metav1.Condition) bool) float64 {
	count := 0
	_ = meta.EachListItem(list, func(object runtime.Object) error {
		if matches(object.(kinds.Object).GetStatus().Conditions) {
			count++
		}
		return nil
	})
	return float64(count)
}

// isHeld reports whether the rollout of a consumer is held, and not in progress or
// being retried.
func isHeld(conditions []metav1.Condition) bool {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionFalse &&
		ready.Reason != v1alpha1.ReasonRollingOut && ready.Reason != v1alpha1.ReasonRolloutFailed
}

func isForeign(conditions []metav1.Condition) bool {
	return writer.Foreign(meta.FindStatusCondition(conditions, writer.Type))
}
