package controller

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/condition"
)

// configReconciler writes the status of every MCPExternalAuthConfig.
type configReconciler struct {
	lookup
	writer
}

func (r *configReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1beta1.MCPExternalAuthConfig{}).
		Watches(&v1beta1.MCPServer{}, toConfigs(), builder.WithPredicates(specChanged)).
		Watches(&v1beta1.MCPRemoteProxy{}, toConfigs(), builder.WithPredicates(specChanged)).
		Watches(&v1beta1.MCPExternalAuthConfig{}, r.toPeers(), builder.WithPredicates(specChanged)).
		WithOptions(retrying()).
		Complete(r)
}

// Reconcile writes the verdict on a config and all of its consumers.
func (r *configReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	config := &v1beta1.MCPExternalAuthConfig{}
	if found, err := r.get(ctx, request.Namespace, request.Name, config); err != nil || !found {
		return reconcile.Result{}, r.gone(request, err)
	}
	pairs, err := r.pairs(ctx, config.Namespace, config.Name)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("finding the consumers of MCPExternalAuthConfig %s: %w", request, err)
	}
	var conditions []metav1.Condition
	if condition := condition.ForConfig(config, pairs); condition != nil {
		conditions = append(conditions, *condition)
	}
	return reconcile.Result{}, r.write(ctx, config, conditions)
}
