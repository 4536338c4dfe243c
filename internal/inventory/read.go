// Package inventory reads from a cluster the objects that determine its pairs of
// configs and consumers, in standalone mode and with ToolHive's CRDs. It needs
// only permission to list them. It notes what the user may not read, and does not
// fail. The packages tree and findings present the result.
package inventory

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/crds"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
)

// Cluster is a client for a cluster.
type Cluster struct {
	client   dynamic.Interface
	metadata metadata.Interface
	raw      *rest.RESTClient
	defaults []string
	// mode is determined by the first Read.
	mode Mode
}

// New returns a client for the cluster of cfg. defaultScopes are the scopes that
// an auth server supports if none are configured.
func New(cfg *rest.Config, defaultScopes []string) (*Cluster, error) {
	cfg = rest.CopyConfig(cfg)
	// API Priority and Fairness is the limit.
	cfg.QPS = -1
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	changes, err := metadata.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	raw, err := rest.UnversionedRESTClientFor(dynamic.ConfigFor(cfg))
	return &Cluster{client: client, metadata: changes, raw: raw, defaults: defaultScopes}, err
}

// Read returns the content of a namespace, or of the whole cluster if namespace
// is empty. The whole cluster does not include the namespace in which the guard's
// manager tries the policies.
func (c *Cluster) Read(ctx context.Context, namespace string) (*Snapshot, error) {
	if c.mode == "" {
		own, err := crds.Own(openapi.NewClient(c.raw))
		if err != nil {
			return nil, err
		}
		c.mode = Guard
		if own[resolve.KindMCPExternalAuthConfig] {
			c.mode = Standalone
		}
	}
	s := &Snapshot{Mode: c.mode, Namespace: namespace, Unreadable: map[string]string{}}
	for _, kind := range kinds.All {
		err := eachItem(ctx, c, resource(kind), namespace, kind.Empty, func(object kinds.Object) { s.add(object, c.defaults) })
		if err != nil {
			return s, err
		}
	}
	if namespace == "" {
		s.leaveOut(guard.CanaryNamespace)
	}
	return s, nil
}

// ReadDeployments adds the Deployments of ToolHive's operator to a snapshot. It does
// nothing in standalone mode.
func (c *Cluster) ReadDeployments(ctx context.Context, s *Snapshot) error {
	if s.Mode == Standalone {
		return nil
	}
	consumers := map[types.UID]*Consumer{}
	for _, consumer := range s.Consumers {
		consumers[consumer.UID] = consumer
	}
	return noteUnreadable(s.Unreadable, "deployments", each(ctx, c, deployments, s.Namespace, func(deployment *appsv1.Deployment) {
		owner := metav1.GetControllerOf(deployment)
		if owner == nil {
			return
		}
		// ToolHive's operator gives the Deployment the name of the consumer.
		if consumer := consumers[owner.UID]; consumer != nil && consumer.Name == deployment.Name {
			consumer.Deployment = deployment
		}
	}))
}

var deployments = appsv1.SchemeGroupVersion.WithResource("deployments")

func resource(kind kinds.Kind) schema.GroupVersionResource {
	return v1beta1.GroupVersion.WithResource(kind.Resource)
}

// noteUnreadable adds to unreadable what the user may not read. A missing resource is not an
// error either.
func noteUnreadable(unreadable map[string]string, what string, err error) error {
	switch {
	case apierrors.IsForbidden(err):
		unreadable[what] = err.Error()
		return nil
	case apierrors.IsNotFound(err):
		return nil
	}
	return err
}

// each calls do for the objects of a resource, ordered by namespace and name. An
// empty namespace means all.
func each[T any](ctx context.Context, c *Cluster, resource schema.GroupVersionResource, namespace string, do func(*T)) error {
	return eachItem(ctx, c, resource, namespace, func() *T { return new(T) }, do)
}

// eachItem is each for a type that is not known before: empty returns an object to
// decode into.
func eachItem[T any](ctx context.Context, c *Cluster, resource schema.GroupVersionResource, namespace string, empty func() T, do func(T)) error {
	list := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.client.Resource(resource).Namespace(namespace).List(ctx, options)
	}
	return pager.New(list).EachListItemWithAlloc(ctx, metav1.ListOptions{}, func(item runtime.Object) error {
		object := empty()
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.(*unstructured.Unstructured).Object, object); err != nil {
			return fmt.Errorf("decoding %s: %w", resource.Resource, err)
		}
		do(object)
		return nil
	})
}
