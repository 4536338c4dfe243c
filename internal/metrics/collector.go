// Package metrics counts verdicts and held rollouts in the cache on each scrape.
// A series for each object would need more memory than the object itself.
package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status"
)

// scrapeTimeout limits the wait for a cache that is not synced yet.
const scrapeTimeout = 5 * time.Second

var (
	objects = prometheus.NewDesc("scopegate_baseline_scopes_valid",
		"Objects by the status and the reason of their condition BaselineScopesValid.",
		[]string{"kind", "status", "reason"}, nil)
	held = prometheus.NewDesc("scopegate_rollouts_held",
		"Objects whose rollout is held. Running pods stay unchanged.",
		[]string{"kind"}, nil)
)

// Collector collects the metrics of scopegate from a cache.
type Collector struct {
	Cache client.Reader
	// Held counts the consumers of a kind whose rollout is held: HeldStandalone,
	// or the result of HeldByGuard.
	Held func(ctx context.Context, kind string, consumers client.ObjectList) (int, error)
}

// Describe implements prometheus.Collector.
func (Collector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- objects
	descriptions <- held
}

// Collect counts the objects in the cache. If it can't list a kind, it omits that
// kind and logs the error.
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
		collectVerdicts(samples, kind, list)
		if kind == resolve.KindMCPExternalAuthConfig {
			continue
		}
		count, err := c.Held(ctx, kind, list)
		if err != nil {
			log.Log.WithName("metrics").Error(err, "counting held rollouts", "kind", kind)
			continue
		}
		samples <- prometheus.MustNewConstMetric(held, prometheus.GaugeValue, float64(count), kind)
	}
}

func collectVerdicts(samples chan<- prometheus.Metric, kind string, list client.ObjectList) {
	type verdict struct {
		status metav1.ConditionStatus
		reason string
	}
	counts := map[verdict]int{}
	_ = meta.EachListItem(list, func(object runtime.Object) error {
		conditions := object.(status.Object).GetStatus().Conditions
		if valid := meta.FindStatusCondition(conditions, v1alpha1.ConditionBaselineScopesValid); valid != nil {
			counts[verdict{valid.Status, valid.Reason}]++
		}
		return nil
	})
	for verdict, count := range counts {
		samples <- prometheus.MustNewConstMetric(objects, prometheus.GaugeValue, float64(count), kind, string(verdict.status), verdict.reason)
	}
}

// HeldStandalone counts the consumers whose condition Ready is False because the
// rollout is held, not because it is in progress or being retried.
func HeldStandalone(_ context.Context, _ string, consumers client.ObjectList) (int, error) {
	count := 0
	err := meta.EachListItem(consumers, func(object runtime.Object) error {
		ready := meta.FindStatusCondition(object.(status.Object).GetStatus().Conditions, v1alpha1.ConditionReady)
		if ready != nil && ready.Status == metav1.ConditionFalse &&
			ready.Reason != v1alpha1.ReasonRollingOut && ready.Reason != v1alpha1.ReasonRolloutFailed {
			count++
		}
		return nil
	})
	return count, err
}

// HeldByGuard counts the held ConfigMaps that consumers of a kind own. cached has
// no other ConfigMaps.
func HeldByGuard(cached client.Reader) func(context.Context, string, client.ObjectList) (int, error) {
	return func(ctx context.Context, kind string, _ client.ObjectList) (int, error) {
		configMaps := &metav1.PartialObjectMetadataList{}
		configMaps.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
		if err := cached.List(ctx, configMaps, client.UnsafeDisableDeepCopy); err != nil {
			return 0, err
		}
		count := 0
		for i := range configMaps.Items {
			if owner := metav1.GetControllerOf(&configMaps.Items[i]); owner != nil && owner.Kind == kind {
				count++
			}
		}
		return count, nil
	}
}
