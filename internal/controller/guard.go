package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard/condition"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/status/words"
)

// byOwner indexes the ConfigMaps that the guard holds by the workload that they
// are of.
const byOwner = "owner"

// SetupGuard adds the reconcilers of guard mode to a manager, whose cache has of
// ConfigMaps only those that are held. They write the one condition, and no
// workload: ToolHive's operator does. defaults are the scopes of an auth server
// that is told nothing, if others than the known ones.
func SetupGuard(ctx context.Context, mgr ctrl.Manager, keeper *condition.Keeper, defaults []string) error {
	if err := addIndexes(ctx, mgr.GetFieldIndexer(), byConfig); err != nil {
		return err
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, configMap(), byOwner, owners); err != nil {
		return fmt.Errorf("indexing held ConfigMaps: %w", err)
	}
	if err := watchFromStart(ctx, mgr.GetCache(), &v1beta1.MCPExternalAuthConfig{}); err != nil {
		return err
	}
	lookup := lookup{Reader: mgr.GetCache(), defaults: defaults}
	writer := writer{keeper: keeper, recorder: mgr.GetEventRecorder(condition.FieldManager)}
	configs := &configReconciler{lookup: lookup, writer: writer}
	if err := configs.setup(mgr); err != nil {
		return fmt.Errorf("setting up the controller of MCPExternalAuthConfig: %w", err)
	}
	for _, kind := range kinds {
		judge := &judgeReconciler{lookup: lookup, writer: writer, kind: kind}
		if err := judge.setup(mgr); err != nil {
			return fmt.Errorf("setting up the controller of %s: %w", kind.name, err)
		}
	}
	return nil
}

// judgeReconciler writes the condition of every object of one kind of consumers.
type judgeReconciler struct {
	lookup
	writer
	kind kind
}

func (r *judgeReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(r.kind.new()).
		Watches(&v1beta1.MCPExternalAuthConfig{}, r.toConsumers(r.kind, byConfig), builder.WithPredicates(specChanged)).
		WatchesMetadata(&corev1.ConfigMap{}, toOwners(r.kind)).
		WithOptions(retrying()).
		Complete(r)
}

// Reconcile judges a consumer.
func (r *judgeReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := r.kind.new()
	if found, err := r.get(ctx, request.Namespace, request.Name, object); err != nil || !found {
		return reconcile.Result{}, r.gone(r.kind.name, request, err)
	}
	consumer, _ := r.consumerOf(object)
	pair, err := resolve.Resolve(consumer, r.configs(ctx, consumer.Namespace))
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("finding the config of %s: %w", consumer, err)
	}
	var conditions []metav1.Condition
	if verdict := words.ForConsumer(pair); verdict != nil {
		if verdict.Status == metav1.ConditionFalse {
			if err := r.tellHeld(ctx, object, consumer, verdict); err != nil {
				return reconcile.Result{}, err
			}
		}
		conditions = append(conditions, *verdict)
	}
	return reconcile.Result{}, r.write(ctx, object, conditions)
}

// tellHeld adds to a condition since when what runs is held back by the lock on
// its ConfigMap. Since when is the time from which the condition is False: what
// is held is the good run config from before.
func (r *judgeReconciler) tellHeld(ctx context.Context, object status.Object, consumer resolve.Consumer, verdict *metav1.Condition) error {
	held := &metav1.PartialObjectMetadataList{}
	held.SetGroupVersionKind(configMapKind.GroupVersion().WithKind("ConfigMapList"))
	err := r.List(ctx, held, client.InNamespace(consumer.Namespace), client.MatchingFields{byOwner: owner(consumer.Kind, consumer.Name)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("finding what is held of %s: %w", consumer, err)
	}
	if len(held.Items) == 0 {
		return nil
	}
	verdict.LastTransitionTime = metav1.Now().Rfc3339Copy()
	old := meta.FindStatusCondition(object.GetStatus().Conditions, v1alpha1.ConditionBaselineScopesValid)
	if old != nil && old.Status == verdict.Status {
		verdict.LastTransitionTime = old.LastTransitionTime
	}
	words.Hold(verdict)
	return nil
}

var configMapKind = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}

func configMap() *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(configMapKind)
	return object
}

func owner(kind, name string) string { return kind + "/" + name }

func owners(object client.Object) []string {
	var names []string
	for _, reference := range object.GetOwnerReferences() {
		names = append(names, owner(reference.Kind, reference.Name))
	}
	return names
}

// toOwners maps a held ConfigMap to the workloads of a kind that own it.
func toOwners(kind kind) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		var names []string
		for _, reference := range object.GetOwnerReferences() {
			if reference.Kind == kind.name {
				names = append(names, reference.Name)
			}
		}
		return requests(object.GetNamespace(), names)
	})
}
