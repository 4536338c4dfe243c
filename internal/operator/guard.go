package operator

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/scopegate/scopegate/internal/controller"
	"github.com/scopegate/scopegate/internal/guard/check"
	"github.com/scopegate/scopegate/internal/guard/condition"
	scopegatemetrics "github.com/scopegate/scopegate/internal/metrics"
)

func setupGuard(ctx context.Context, mgr manager.Manager, options Options) ([]prometheus.Collector, error) {
	recorder, err := newRecorder(ctx, mgr, condition.FieldManager)
	if err != nil {
		return nil, err
	}
	writers := scopegatemetrics.StoodDown{}
	newWriter := func(kind string) *condition.Writer {
		writers[kind] = condition.NewWriter(mgr.GetClient(), func(object client.Object, found *metav1.Condition) {
			reason := "none"
			if found != nil {
				reason = found.Reason
			}
			log.FromContext(ctx).Info("somebody else writes the condition: scopegate leaves it alone until the object is edited",
				"condition", condition.Type, "kind", kind, "object", client.ObjectKeyFromObject(object), "reason", reason)
			recorder.Eventf(object, nil, corev1.EventTypeWarning, condition.ReasonStoodDown, condition.Type,
				"somebody else writes the condition %s of this %s (reason %s): scopegate leaves it alone until the object is edited", condition.Type, kind, reason)
		})
		return writers[kind]
	}
	collectors := []prometheus.Collector{
		scopegatemetrics.Collector{Cache: mgr.GetCache(), Held: scopegatemetrics.HeldByGuard(mgr.GetCache())},
		writers,
	}
	if options.OwnNamespace != "" {
		checker, err := check.New(mgr.GetConfig(), mgr.GetScheme(), options.OwnNamespace, recorder)
		if err != nil {
			return nil, err
		}
		if err := mgr.Add(checker); err != nil {
			return nil, fmt.Errorf("adding the check of the policies: %w", err)
		}
		collectors = append(collectors, checker)
	}
	return collectors, controller.SetupGuard(ctx, mgr, recorder, options.DefaultScopes, newWriter)
}
