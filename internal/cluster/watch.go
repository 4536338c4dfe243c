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

	stores := map[string]cache.Store{}
	for _, kind := range kindsOf(first.Mode, first.Hidden) {
		informer := c.informer(kind.GroupVersionResource, namespace)
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { changed() }, UpdateFunc: func(any, any) { changed() }, DeleteFunc: func(any) { changed() },
		}); err != nil {
			return err
		}
		go informer.RunWithContext(ctx)
		cache.WaitForCacheSync(ctx.Done(), informer.HasSynced)
		stores[kind.Resource] = informer.GetStore()
	}
	for {
		if _, ended := queue.Get(); ended {
			return nil
		}
		queue.Done("")
		snapshot, err := c.snapshot(first.Mode, first.Hidden, func(kind kind) ([]any, error) { return stores[kind.Resource].List(), nil })
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
	_ = informer.SetTransform(forget)
	return informer
}
