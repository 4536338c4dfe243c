// Package metrics counts verdicts and held rollouts when they are scraped, from
// the cache: a series for each object would cost more than the object itself.
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
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/status/words"
)

// scrapeTimeout bounds the wait for a cache that is not synced yet.
const scrapeTimeout = 5 * time.Second

var (
	objects = prometheus.NewDesc("scopegate_baseline_scopes_valid",
		"Objects by the status and the reason of their condition BaselineScopesValid.",
		[]string{"kind", "status", "reason"}, nil)
	held = prometheus.NewDesc("scopegate_rollouts_held",
		"Objects whose rollout is held, which leaves alone what runs.",
		[]string{"kind"}, nil)
)

// Collector collects the metrics of scopegate from a cache.
type Collector struct {
	Cache client.Reader
	// Held tells by the conditions of a consumer whether its rollout is held:
	// HeldInWholeMode, or HeldByGuard.
	Held func([]metav1.Condition) bool
}

// Describe sends the descriptions of all metrics.
func (Collector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- objects
	descriptions <- held
}

// Collect counts the objects of the cache. A kind that can't be listed is
// missing, and the log says why.
func (c Collector) Collect(samples chan<- prometheus.Metric) {
	lists := map[string]client.ObjectList{
		resolve.KindMCPExternalAuthConfig: &v1beta1.MCPExternalAuthConfigList{},
		resolve.KindMCPServer:             &v1beta1.MCPServerList{},
		resolve.KindMCPRemoteProxy:        &v1beta1.MCPRemoteProxyList{},
		resolve.KindVirtualMCPServer:      &v1beta1.VirtualMCPServerList{},
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	for kind, list := range lists {
		if err := c.Cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			log.Log.WithName("metrics").Error(err, "counting objects", "kind", kind)
			continue
		}
		c.collect(samples, kind, list)
	}
}

func (c Collector) collect(samples chan<- prometheus.Metric, kind string, list client.ObjectList) {
	type verdict struct {
		status metav1.ConditionStatus
		reason string
	}
	counts, heldCount := map[verdict]int{}, 0
	_ = meta.EachListItem(list, func(object runtime.Object) error {
		conditions := object.(status.Object).GetStatus().Conditions
		if valid := meta.FindStatusCondition(conditions, v1alpha1.ConditionBaselineScopesValid); valid != nil {
			counts[verdict{valid.Status, valid.Reason}]++
		}
		if c.Held(conditions) {
			heldCount++
		}
		return nil
	})
	for verdict, count := range counts {
		samples <- prometheus.MustNewConstMetric(objects, prometheus.GaugeValue, float64(count), kind, string(verdict.status), verdict.reason)
	}
	if kind != resolve.KindMCPExternalAuthConfig {
		samples <- prometheus.MustNewConstMetric(held, prometheus.GaugeValue, float64(heldCount), kind)
	}
}

// HeldInWholeMode tells whether Ready says that a rollout is held, and not that
// it is under way or being tried.
func HeldInWholeMode(conditions []metav1.Condition) bool {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionFalse &&
		ready.Reason != v1alpha1.ReasonRollingOut && ready.Reason != v1alpha1.ReasonRolloutFailed
}

// HeldByGuard tells whether BaselineScopesValid says so; Ready is ToolHive's.
func HeldByGuard(conditions []metav1.Condition) bool {
	valid := meta.FindStatusCondition(conditions, v1alpha1.ConditionBaselineScopesValid)
	return valid != nil && words.IsHeld(valid)
}
