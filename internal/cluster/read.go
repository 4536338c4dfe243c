// Package cluster reads of a cluster what its pairs of configs and consumers are
// validated by, in standalone mode and on ToolHive's CRDs: once, or again whenever
// something changes. It needs no more than the right to list the objects. What a user
// may not read is noted rather than refused. The packages tree and check are views of
// what it reads.
package cluster

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/openapi3"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/scopegate/scopegate/api/v1beta1"
)

// Cluster is a way to a cluster.
type Cluster struct {
	client   dynamic.Interface
	schemas  openapi3.Root
	defaults []string
}

// New returns the way to the cluster that cfg names. defaultScopes are what an auth
// server supports that is told no scopes.
func New(cfg *rest.Config, defaultScopes []string) (*Cluster, error) {
	cfg = rest.CopyConfig(cfg)
	// API Priority and Fairness is the limit.
	cfg.QPS = -1
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	raw, err := rest.UnversionedRESTClientFor(dynamic.ConfigFor(cfg))
	return &Cluster{client, openapi3.NewRoot(openapi.NewClient(raw)), defaultScopes}, err
}

// Read returns what the cluster holds; an empty namespace stands for all.
func (c *Cluster) Read(ctx context.Context, namespace string) (*Snapshot, error) {
	mode, err := c.mode()
	if err != nil {
		return nil, err
	}
	return c.snapshot(mode, map[string]string{}, func(kind kind) ([]any, error) { return c.list(ctx, kind.GroupVersionResource, namespace) })
}

// list returns the objects of a resource, unstructured.
func (c *Cluster) list(ctx context.Context, resource schema.GroupVersionResource, namespace string) ([]any, error) {
	var objects []any
	err := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.client.Resource(resource).Namespace(namespace).List(ctx, options)
	}).EachListItemWithAlloc(ctx, metav1.ListOptions{}, func(item runtime.Object) error {
		kept, err := forget(item)
		objects = append(objects, kept)
		return err
	})
	return objects, err
}

// forget drops the content of ConfigMaps that nothing owns: a cluster may have many.
func forget(object any) (any, error) {
	if object, ok := object.(*unstructured.Unstructured); ok && object.GetKind() == "ConfigMap" && len(object.GetOwnerReferences()) == 0 {
		delete(object.Object, "data")
		delete(object.Object, "binaryData")
	}
	return object, nil
}

// listAs is list for all namespaces, decoded.
func listAs[T any](ctx context.Context, c *Cluster, resource schema.GroupVersionResource) ([]T, error) {
	objects, err := c.list(ctx, resource, "")
	decoded := make([]T, len(objects))
	for i, object := range objects {
		err = errors.Join(err, decode(object, &decoded[i]))
	}
	return decoded, err
}

func decode(object any, into any) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object.(*unstructured.Unstructured).Object, into)
}

// mode finds out whose CRDs the cluster has, by a field that only scopegate's have.
// Users who may not read CRDs may read the published schema.
func (c *Cluster) mode() (Mode, error) {
	document, err := c.schemas.GVSpec(v1beta1.GroupVersion)
	if missing := (&openapi3.GroupVersionNotFoundError{}); errors.As(err, &missing) {
		return "", fmt.Errorf("the cluster does not serve %s: neither ToolHive's nor scopegate's CRDs are installed", v1beta1.GroupVersion)
	}
	if err != nil {
		return "", err
	}
	var kind *spec.Schema
	if document.Components != nil {
		kind = document.Components.Schemas["dev.stacklok.toolhive."+v1beta1.GroupVersion.Version+".MCPExternalAuthConfig"]
	}
	if kind == nil {
		return "", errors.New("the cluster serves no MCPExternalAuthConfig: ToolHive's or scopegate's CRDs are not installed as a whole")
	}
	if _, ok := kind.Properties["spec"].Properties["embeddedAuthServer"].Properties["scopesSupported"]; ok {
		return Standalone, nil
	}
	return Guard, nil
}
