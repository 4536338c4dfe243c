package operator

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/scopegate/scopegate/internal/controller"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/guard/condition"
	scopegatemetrics "github.com/scopegate/scopegate/internal/metrics"
)

func setupGuard(ctx context.Context, mgr manager.Manager, options Options) ([]prometheus.Collector, error) {
	recorder := mgr.GetEventRecorder(condition.FieldManager)
	rivals := &condition.Rivals{Tell: func(kind string, object client.Object, found metav1.Condition) {
		recorder.Eventf(object, nil, corev1.EventTypeWarning, condition.ReasonStoodDown, condition.Type,
			"somebody else writes the condition %s (reason %s): scopegate stands down for every %s until its manager is started anew", condition.Type, found.Reason, kind)
	}}
	collectors := []prometheus.Collector{
		scopegatemetrics.Collector{Cache: mgr.GetCache(), Held: scopegatemetrics.HeldByGuard},
		scopegatemetrics.StoodDown{Rivals: rivals},
	}
	if options.OwnNamespace != "" {
		checker, err := canary.New(mgr.GetConfig(), mgr.GetScheme(), options.OwnNamespace, recorder)
		if err != nil {
			return nil, err
		}
		if err := mgr.Add(checker); err != nil {
			return nil, fmt.Errorf("adding the check of the policies: %w", err)
		}
		collectors = append(collectors, checker)
	}
	return collectors, controller.SetupGuard(ctx, mgr, &condition.Keeper{Client: mgr.GetClient(), Rivals: rivals}, options.DefaultScopes)
}
