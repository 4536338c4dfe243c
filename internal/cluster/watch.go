package cluster

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// settle is how long changes are gathered: an edit of a config is followed by
// many of statuses.
const settle = 100 * time.Millisecond

// Watch shows what the cluster holds, and again whenever something changed, until
// ctx is done or show fails. It returns nil if ctx is done.
func (c *Cluster) Watch(ctx context.Context, namespace string, show func(*Snapshot) error) error {
	// An informer would retry for ever where the first read says what is wrong.
	first, err := c.Read(ctx, namespace)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// A queue has an item once: changes that come together are shown together.
	queue := workqueue.NewTypedDelayingQueue[string]()
	context.AfterFunc(ctx, queue.ShutDown)
	changed := func() { queue.AddAfter("", settle) }
	// Also where there is nothing at all, that is to be shown.
	changed()

	var stores []cache.Store
	for _, resource := range resourcesOf(first.Mode) {
		if _, hidden := first.Hidden[resource.Resource]; hidden {
			continue
		}
		informer := c.informer(resource, namespace)
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { changed() }, UpdateFunc: func(any, any) { changed() }, DeleteFunc: func(any) { changed() },
		}); err != nil {
			return err
		}
		go informer.RunWithContext(ctx)
		cache.WaitForCacheSync(ctx.Done(), informer.HasSynced)
		stores = append(stores, informer.GetStore())
	}
	for {
		if _, ended := queue.Get(); ended {
			return nil
		}
		queue.Done("")
		snapshot, err := c.assemble(first.Mode, first.Hidden, objectsOf(stores))
		if err == nil {
			err = show(snapshot)
		}
		if err != nil {
			return err
		}
	}
}

// informer keeps the objects of a resource. The package of client-go that makes such
// informers would make every command start with a third more memory.
func (c *Cluster) informer(resource schema.GroupVersionResource, namespace string) cache.SharedInformer {
	client := c.client.Resource(resource).Namespace(namespace)
	informer := cache.NewSharedInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return client.Watch(ctx, options)
		},
	}, &unstructured.Unstructured{}, 0)
	// It fails only for one that runs.
	_ = informer.SetTransform(func(kept any) (any, error) {
		if object, ok := kept.(*unstructured.Unstructured); ok && !relevant(object) {
			delete(object.Object, "data")
			delete(object.Object, "binaryData")
			delete(object.Object, "spec")
		}
		return kept, nil
	})
	return informer
}

func objectsOf(stores []cache.Store) []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	for _, store := range stores {
		for _, kept := range store.List() {
			if object := kept.(*unstructured.Unstructured); relevant(object) {
				objects = append(objects, object)
			}
		}
	}
	return objects
}
