package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard/condition"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status/message"
)

// byOwner indexes the held ConfigMaps by the workload that owns them.
const byOwner = "owner"

// SetupGuard adds the reconcilers of guard mode to a manager whose cache has only
// the held ConfigMaps. The reconcilers write one condition and leave the
// workloads to ToolHive's operator. defaults are the scopes that an auth server
// supports if none are configured. conditions returns the writer of a kind.
func SetupGuard(ctx context.Context, mgr ctrl.Manager, recorder events.EventRecorder, defaults []string, conditions func(kind string) *condition.Writer) error {
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
	configs := &configReconciler{lookup: lookup, writer: writer{conditions(resolve.KindMCPExternalAuthConfig), recorder}}
	if err := configs.setup(mgr); err != nil {
		return fmt.Errorf("setting up the controller of MCPExternalAuthConfig: %w", err)
	}
	for _, kind := range kinds {
		consumers := &conditionReconciler{lookup: lookup, writer: writer{conditions(kind.name), recorder}, kind: kind}
		if err := consumers.setup(mgr); err != nil {
			return fmt.Errorf("setting up the controller of %s: %w", kind.name, err)
		}
	}
	return nil
}

// conditionReconciler writes the condition of every consumer of one kind.
type conditionReconciler struct {
	lookup
	writer
	kind kind
}

func (r *conditionReconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(r.kind.new()).
		Watches(&v1beta1.MCPExternalAuthConfig{}, r.toConsumers(r.kind, byConfig), builder.WithPredicates(specChanged)).
		WatchesMetadata(&corev1.ConfigMap{}, toOwners(r.kind)).
		WithOptions(retrying()).
		Complete(r)
}

// Reconcile writes the verdict on the baseline of a consumer.
func (r *conditionReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := r.kind.new()
	if found, err := r.get(ctx, request.Namespace, request.Name, object); err != nil || !found {
		return reconcile.Result{}, r.gone(request, err)
	}
	consumer, _ := r.consumerOf(object)
	pair, err := resolve.Resolve(consumer, r.configs(ctx, consumer.Namespace))
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("finding the config of %s: %w", consumer, err)
	}
	held, err := r.held(ctx, consumer)
	if err != nil {
		return reconcile.Result{}, err
	}
	var conditions []metav1.Condition
	if verdict := message.ForConsumer(pair); verdict != nil {
		if held && verdict.Status == metav1.ConditionFalse {
			verdict.Message = message.Held(verdict.Message)
		}
		conditions = append(conditions, *verdict)
	}
	return reconcile.Result{}, r.write(ctx, object, conditions)
}

// held reports whether a policy holds the ConfigMap of a consumer.
func (r *conditionReconciler) held(ctx context.Context, consumer resolve.Consumer) (bool, error) {
	held := &metav1.PartialObjectMetadataList{}
	held.SetGroupVersionKind(configMapKind.GroupVersion().WithKind("ConfigMapList"))
	err := r.List(ctx, held, client.InNamespace(consumer.Namespace), client.MatchingFields{byOwner: owner(consumer.Kind, consumer.Name)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return false, fmt.Errorf("finding the held ConfigMaps of %s: %w", consumer, err)
	}
	return len(held.Items) > 0, nil
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
