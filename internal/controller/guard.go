package controller

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/condition"
	guardwriter "github.com/scopegate/scopegate/internal/guard/writer"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
)

// SetupGuard adds the reconcilers of guard mode to a manager. They write one
// condition and leave the workloads to ToolHive's operator. defaults are the scopes that an auth server
// supports if none are configured. newWriter returns the writer of a kind.
func SetupGuard(ctx context.Context, mgr ctrl.Manager, recorder events.EventRecorder, defaults []string, newWriter func(kind string) *guardwriter.Writer) error {
	if err := addIndexes(ctx, mgr.GetFieldIndexer(), byConfig); err != nil {
		return err
	}
	if err := watchFromStart(ctx, mgr.GetCache(), &v1beta1.MCPExternalAuthConfig{}); err != nil {
		return err
	}
	lookup := lookup{Reader: mgr.GetCache(), defaults: defaults}
	configs := &configReconciler{lookup: lookup, writer: writer{newWriter(resolve.KindMCPExternalAuthConfig), recorder}}
	if err := configs.setup(mgr); err != nil {
		return fmt.Errorf("setting up the controller of MCPExternalAuthConfig: %w", err)
	}
	for _, kind := range kinds.Consumers {
		consumers := &guardConsumerReconciler{lookup: lookup, writer: writer{newWriter(kind.Name), recorder}, kind: kind}
		if err := consumers.setup(mgr); err != nil {
			return fmt.Errorf("setting up the controller of %s: %w", kind.Name, err)
		}
	}
	return nil
}

// guardConsumerReconciler writes the condition of every consumer of one kind.
type guardConsumerReconciler struct {
	lookup
	writer
	kind kinds.Kind
}

func (r *guardConsumerReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(r.kind.Empty()).
		Watches(&v1beta1.MCPExternalAuthConfig{}, r.toConsumers(r.kind, byConfig), builder.WithPredicates(specChanged)).
		WithOptions(retrying()).
		Complete(r)
}

// Reconcile writes the verdict on the baseline of a consumer.
func (r *guardConsumerReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := r.kind.Empty()
	if found, err := r.get(ctx, request.Namespace, request.Name, object); err != nil || !found {
		return reconcile.Result{}, r.gone(request, err)
	}
	consumer, _ := r.consumerOf(object)
	pair, err := resolve.Resolve(consumer, r.configs(ctx, consumer.Namespace))
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("finding the config of %s: %w", consumer, err)
	}
	var conditions []metav1.Condition
	if verdict := condition.ForConsumer(pair); verdict != nil {
		conditions = append(conditions, *verdict)
	}
	return reconcile.Result{}, r.write(ctx, object, conditions)
}
