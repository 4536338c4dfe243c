package live

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// settle is how long changes are gathered: an edit of a config is followed by
// many of statuses.
const settle = 100 * time.Millisecond

// Watch shows what the cluster holds, and again whenever something changed, until
// ctx is done or show fails. It returns nil if ctx is done.
func (c *Cluster) Watch(ctx context.Context, namespace string, show func(*Snapshot) error) error {
	// An informer would try for ever where the first read says what is wrong.
	first, err := c.Read(ctx, namespace)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// One place is enough: a snapshot is always made of the newest state.
	changed := make(chan struct{}, 1)
	var stores []cache.Store
	for _, source := range sourcesOf(first.Mode) {
		if _, hidden := first.Hidden[source.resource.Resource]; hidden {
			stores = append(stores, cache.NewStore(cache.MetaNamespaceKeyFunc))
			continue
		}
		informer, err := c.inform(ctx, source, namespace, changed)
		if err != nil {
			return err
		}
		stores = append(stores, informer.GetStore())
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
		snapshot, err := assemble(first.Mode, first.Hidden, objectsOf(stores))
		if err == nil {
			err = show(snapshot)
		}
		if err != nil {
			return err
		}
	}
}

// inform starts an informer and returns when it holds what there is.
func (c *Cluster) inform(ctx context.Context, source source, namespace string, changed chan<- struct{}) (cache.SharedIndexInformer, error) {
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	resource := c.client.Resource(source.resource).Namespace(namespace)
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector = source.selector
			return resource.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = source.selector
			return resource.Watch(ctx, options)
		},
	}, &unstructured.Unstructured{}, 0, cache.Indexers{})
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { notify() }, UpdateFunc: func(any, any) { notify() }, DeleteFunc: func(any) { notify() },
	}); err != nil {
		return nil, err
	}
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil, errors.New("interrupted before everything was read")
	}
	// Also where there is nothing at all, that is to be shown.
	notify()
	return informer, nil
}

func objectsOf(stores []cache.Store) [][]*unstructured.Unstructured {
	objects := make([][]*unstructured.Unstructured, len(stores))
	for i, store := range stores {
		for _, object := range store.List() {
			if object, ok := object.(*unstructured.Unstructured); ok {
				// Whoever decodes it may keep parts of it.
				objects[i] = append(objects[i], object.DeepCopy())
			}
		}
	}
	return objects
}
