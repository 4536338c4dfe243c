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
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/guard/writer"
	scopegatemetrics "github.com/scopegate/scopegate/internal/metrics"
)

func setupGuard(ctx context.Context, mgr manager.Manager, options Options) ([]prometheus.Collector, error) {
	recorder, err := newRecorder(ctx, mgr, writer.FieldManager)
	if err != nil {
		return nil, err
	}
	newWriter := func(kind string) *writer.Writer {
		return writer.New(mgr.GetClient(), func(object client.Object, found *metav1.Condition) {
			log.FromContext(ctx).Info("another writer decides on the condition: scopegate leaves it alone",
				"condition", writer.Type, "kind", kind, "object", client.ObjectKeyFromObject(object), "reason", found.Reason)
			recorder.Eventf(object, nil, corev1.EventTypeWarning, writer.ReasonStoodDown, writer.Type,
				"another writer decides on the condition %s of this %s (reason %s): scopegate leaves it alone", writer.Type, kind, found.Reason)
		})
	}
	collectors := []prometheus.Collector{scopegatemetrics.Collector{Cache: mgr.GetCache()}}
	if options.Mode != "" {
		if err := setupCheck(ctx, mgr, options); err != nil {
			return nil, err
		}
		collectors = append(collectors, canary.Metrics...)
	}
	return collectors, controller.SetupGuard(ctx, mgr, recorder, options.DefaultScopes, newWriter)
}

// setupCheck has a recorder of its own, so that no tenant's events delay those on policies.
func setupCheck(ctx context.Context, mgr manager.Manager, options Options) error {
	policies, err := guard.Policies(options.Mode, options.DefaultScopes)
	if err != nil {
		return err
	}
	recorder, err := newRecorder(ctx, mgr, writer.FieldManager)
	if err != nil {
		return err
	}
	checker, err := canary.New(mgr.GetConfig(), mgr.GetScheme(), policies, recorder)
	if err != nil {
		return err
	}
	if err := mgr.Add(checker); err != nil {
		return fmt.Errorf("adding the check of the policies: %w", err)
	}
	return nil
}
