package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/rollout"
)

// Setup adds the indexes and the four reconcilers of whole mode to a manager.
// authServerImage is what the Deployments run.
func Setup(ctx context.Context, mgr ctrl.Manager, authServerImage string) error {
	fields := []string{byConfig, byOIDCConfig, byChild}
	if err := addIndexes(ctx, mgr.GetFieldIndexer(), fields...); err != nil {
		return err
	}
	if err := watchFromStart(ctx, mgr.GetCache(), &v1beta1.MCPExternalAuthConfig{}, &v1beta1.MCPOIDCConfig{}, &appsv1.Deployment{}, &corev1.Service{}); err != nil {
		return err
	}
	lookup := lookup{Reader: mgr.GetCache()}
	writer := writer{keeper: wholeStatus{mgr.GetClient()}, recorder: mgr.GetEventRecorder("scopegate")}
	configs := &configReconciler{lookup: lookup, writer: writer}
	if err := configs.setup(mgr); err != nil {
		return fmt.Errorf("setting up the controller of MCPExternalAuthConfig: %w", err)
	}
	applier := &rollout.Applier{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Image: authServerImage}
	for _, kind := range kinds {
		consumers := &consumerReconciler{lookup: lookup, writer: writer, kind: kind, applier: applier}
		if err := consumers.setup(mgr); err != nil {
			return fmt.Errorf("setting up the controller of %s: %w", kind.name, err)
		}
	}
	return nil
}
