package inventory

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/scopegate/scopegate/internal/kinds"
)

// Changes watches the objects of a snapshot until ctx is done. changed receives an
// item after changes, and also at the start. failed receives the error of a watch
// that could not start, which ends that watch.
func (c *Cluster) Changes(ctx context.Context, read *Snapshot) (changed <-chan struct{}, failed <-chan error) {
	var resources []schema.GroupVersionResource
	for _, kind := range kinds.All {
		resources = append(resources, resource(kind))
	}
	if read.Mode == Guard && read.Unreadable["deployments"] == "" {
		resources = append(resources, deployments)
	}
	changes, failures := make(chan struct{}, 1), make(chan error, len(resources))
	for _, resource := range resources {
		client := c.metadata.Resource(resource).Namespace(read.Namespace)
		go func() {
			if err := follow(ctx, client, changes); err != nil {
				failures <- err
			}
		}()
	}
	return changes, failures
}

// pause is the time between the end of a watch and the next one. The API server
// ends each watch after some time.
const pause = time.Second

// follow watches one kind until ctx is done, or until a watch can't start. Each watch
// begins with the objects that exist, so nothing is missed in between.
func follow(ctx context.Context, client metadata.ResourceInterface, changed chan<- struct{}) error {
	for {
		stream, err := client.Watch(ctx, metav1.ListOptions{})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for range stream.ResultChan() {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
		stream.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}
