package controller

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
)

// SetupStandalone adds the indexes and the four reconcilers of standalone mode to a
// manager. authServerImage is the image of the Deployments.
func SetupStandalone(ctx context.Context, mgr ctrl.Manager, recorder events.EventRecorder, authServerImage string) error {
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
	for _, kind := range kinds.Consumers {
		consumers := &standaloneConsumerReconciler{lookup: lookup, writer: writer, kind: kind, applier: applier}
		if err := consumers.setup(mgr); err != nil {
			return fmt.Errorf("setting up the controller of %s: %w", kind.Name, err)
		}
	}
	return nil
}

// standaloneConsumerReconciler writes the status of every consumer of one kind, and rolls
// out their auth servers.
type standaloneConsumerReconciler struct {
	lookup
	writer
	kind    kinds.Kind
	applier *rollout.Applier
}

func (r *standaloneConsumerReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(r.kind.Empty()).
		Watches(&v1beta1.MCPExternalAuthConfig{}, r.toConsumers(r.kind, byConfig), builder.WithPredicates(specChanged)).
		Watches(&v1beta1.MCPOIDCConfig{}, r.toConsumers(r.kind, byOIDCConfig), builder.WithPredicates(createdOrDeleted)).
		Watches(&appsv1.Deployment{}, r.toConsumers(r.kind, byChild)).
		Watches(&corev1.Service{}, r.toConsumers(r.kind, byChild)).
		WithOptions(retrying()).
		Complete(r)
}

// Reconcile writes the verdict on a consumer, and rolls out its auth server or
// holds the rollout.
func (r *standaloneConsumerReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := r.kind.Empty()
	if found, err := r.get(ctx, request.Namespace, request.Name, object); err != nil || !found {
		return reconcile.Result{}, r.gone(request, err)
	}
	consumer, _ := r.consumerOf(object)
	pair, err := resolve.Resolve(consumer, r.configs(ctx, consumer.Namespace))
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("finding the config of %s: %w", consumer, err)
	}
	conditions, rolloutErr := r.rollOut(ctx, object, pair)
	if condition := condition.ForConsumer(pair); condition != nil {
		conditions = append(conditions, *condition)
	}
	return reconcile.Result{}, errors.Join(rolloutErr, r.write(ctx, object, conditions))
}

// rollOut rolls out if the verdict allows it, and returns Ready and Stalled. It
// returns errors for a retry; the conditions report them as well.
func (r *standaloneConsumerReconciler) rollOut(ctx context.Context, object kinds.Object, pair resolve.Pair) ([]metav1.Condition, error) {
	if pair.Verdict.State == resolve.NoAuthServer {
		if pair.Consumer.References() {
			return nil, nil
		}
		return nil, r.applier.Remove(ctx, object, rollout.ChildName(pair.Consumer), referencesGone)
	}
	oidcConfigFound, err := r.oidcConfigFound(ctx, pair.Consumer)
	if err != nil {
		return condition.RolloutFailed(err), err
	}
	checked, hold := rollout.Check(pair, oidcConfigFound)
	if hold != nil {
		return condition.Held(hold.Reason, hold.Message, hold.Stalled), nil
	}
	if object.GetDeletionTimestamp() != nil {
		return condition.StoredRollout(object), nil
	}
	deployment, err := r.applier.Apply(ctx, object, checked)
	var conflict *rollout.NameConflictError
	switch {
	case errors.As(err, &conflict):
		return condition.Held(v1alpha1.ReasonNameConflict, conflict.Error(), false), nil
	case apierrors.IsConflict(err):
		// Somebody else wrote at the same time; the retry reads the result.
		return condition.StoredRollout(object), err
	case err != nil:
		return condition.RolloutFailed(err), err
	}
	return condition.RolloutProgress(condition.Progress(deployment)), nil
}

func (r *standaloneConsumerReconciler) oidcConfigFound(ctx context.Context, consumer resolve.Consumer) (bool, error) {
	name := consumer.OIDCConfigName()
	if name == "" {
		return false, nil
	}
	return r.get(ctx, consumer.Namespace, name, &v1beta1.MCPOIDCConfig{})
}

func referencesGone(object client.Object) bool {
	consumer, ok := resolve.ConsumerOf(object)
	return ok && !consumer.References()
}
