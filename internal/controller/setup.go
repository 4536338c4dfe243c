package controller

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/rollout"
)

// Setup adds the indexes and the four reconcilers of standalone mode to a
// manager. authServerImage is the image of the Deployments.
func Setup(ctx context.Context, mgr ctrl.Manager, recorder events.EventRecorder, authServerImage string) error {
	fields := []string{byConfig, byOIDCConfig, byChild}
	if err := addIndexes(ctx, mgr.GetFieldIndexer(), fields...); err != nil {
		return err
	}
	if err := watchFromStart(ctx, mgr.GetCache(), &v1beta1.MCPExternalAuthConfig{}, &v1beta1.MCPOIDCConfig{}, &appsv1.Deployment{}, &corev1.Service{}); err != nil {
		return err
	}
	lookup := lookup{Reader: mgr.GetCache()}
	writer := writer{conditions: statusWriter{mgr.GetClient()}, recorder: recorder}
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

// longestRetry is the longest wait before a retry, so that a reconcile resumes
// soon after its cause of failure is gone.
const longestRetry = 30 * time.Second

// retrying returns the options of every controller: the default first wait, but a
// shorter maximum than the default of about a quarter of an hour.
func retrying() controller.Options {
	return controller.Options{RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](5*time.Millisecond, longestRetry)}
}
