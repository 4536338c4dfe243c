package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
)

// specChanged accepts the creation, the deletion and a spec change of an object.
// It is for the kinds that a reconciler reads, not for its own kind: the status
// events of its own kind repair a stale write.
var specChanged = predicate.GenerationChangedPredicate{}

// createdOrDeleted is for objects of which only the existence matters.
var createdOrDeleted = predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}

// watchFromStart watches kinds as soon as the cache starts, like the kinds with
// an index. A controller would watch them only after those are listed, and a list
// takes the API server a second, whatever its length.
func watchFromStart(ctx context.Context, informers cache.Informers, objects ...client.Object) error {
	for _, object := range objects {
		if _, err := informers.GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watching %T: %w", object, err)
		}
	}
	return nil
}

// toConfigs maps a consumer to the configs that it references. It maps both the
// old and the new object of an update, so a moved reference wakes both configs.
func toConfigs() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		consumer, ok := resolve.ConsumerOf(object)
		if !ok {
			return nil
		}
		return requests(consumer.Namespace, consumer.ConfigNames())
	})
}

// toPeers maps a config to the configs that share a consumer with it, because a
// conflict of two references depends on both.
func (l lookup) toPeers() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		var peers []string
		for _, kind := range kinds.Consumers {
			for _, consumer := range l.consumersOrNone(ctx, kind, object, byConfig) {
				peers = append(peers, consumer.ConfigNames()...)
			}
		}
		slices.Sort(peers)
		peers = slices.DeleteFunc(slices.Compact(peers), func(name string) bool { return name == object.GetName() })
		return requests(object.GetNamespace(), peers)
	})
}

// toConsumers maps an object to the consumers of a kind whose field has its name.
func (l lookup) toConsumers(kind kinds.Kind, field string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		var names []string
		for _, consumer := range l.consumersOrNone(ctx, kind, object, field) {
			names = append(names, consumer.Name)
		}
		return requests(object.GetNamespace(), names)
	})
}

// consumersOrNone returns consumers for a mapping function, which can't return an
// error. The cache returns an error only if the index does not exist.
func (l lookup) consumersOrNone(ctx context.Context, kind kinds.Kind, object client.Object, field string) []resolve.Consumer {
	consumers, err := l.consumers(ctx, kind, object.GetNamespace(), field, object.GetName())
	if err != nil {
		log.FromContext(ctx).Error(err, "mapping an event to consumers", "object", client.ObjectKeyFromObject(object))
	}
	return consumers
}

func requests(namespace string, names []string) []reconcile.Request {
	requests := make([]reconcile.Request, 0, len(names))
	for _, name := range names {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}})
	}
	return requests
}

// longestRetry is the longest wait before a retry, so that a reconcile resumes
// soon after its cause of failure is gone.
const longestRetry = 30 * time.Second

// retrying returns the options of every controller: the default first wait, but a
// shorter maximum than the default of about a quarter of an hour.
func retrying() controller.Options {
	return controller.Options{RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](5*time.Millisecond, longestRetry)}
}
