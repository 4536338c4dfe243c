package inventory

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// Changes returns a channel that receives an item after changes of the objects
// that Read returned, until ctx is done.
func (c *Cluster) Changes(ctx context.Context, namespace string, read *Snapshot) (<-chan struct{}, error) {
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: func(any) { notify() }, UpdateFunc: func(any, any) { notify() }, DeleteFunc: func(any) { notify() }}
	resources := []schema.GroupVersionResource{resource("mcpexternalauthconfigs"), resource("mcpremoteproxies"), resource("mcpservers"), resource("virtualmcpservers")}
	if read.Mode == Guard && read.Hidden["deployments"] == "" {
		resources = append(resources, deployments)
	}
	for _, resource := range resources {
		// The client-go package with such informers would increase the memory of
		// every command by a third.
		client := c.metadata.Resource(resource).Namespace(namespace)
		informer := cache.NewSharedInformer(&cache.ListWatch{
			ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return client.List(ctx, o) },
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return client.Watch(ctx, o) },
		}, &metav1.PartialObjectMetadata{}, 0)
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, err
		}
		go informer.RunWithContext(ctx)
	}
	return changed, nil
}
