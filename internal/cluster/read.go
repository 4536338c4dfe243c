package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"

	"github.com/scopegate/scopegate/api/v1beta1"
)

// Cluster is a way to a cluster.
type Cluster struct {
	client   dynamic.Interface
	raw      rest.Interface
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
	return &Cluster{client: client, raw: raw, defaults: defaultScopes}, err
}

// sources are the resources of configs and consumers. children are those of what
// ToolHive's operator makes of them, to which a user may lack the right.
var (
	sources = []schema.GroupVersionResource{
		v1beta1.GroupVersion.WithResource("mcpexternalauthconfigs"), v1beta1.GroupVersion.WithResource("mcpservers"),
		v1beta1.GroupVersion.WithResource("mcpremoteproxies"), v1beta1.GroupVersion.WithResource("virtualmcpservers"),
	}
	children = []schema.GroupVersionResource{
		corev1.SchemeGroupVersion.WithResource("configmaps"), appsv1.SchemeGroupVersion.WithResource("deployments"),
	}
)

// resourcesOf are those that a snapshot is made of.
func resourcesOf(mode Mode) []schema.GroupVersionResource {
	if mode == Standalone {
		return sources
	}
	return slices.Concat(sources, children)
}

// Read returns what the cluster holds; an empty namespace stands for all.
func (c *Cluster) Read(ctx context.Context, namespace string) (*Snapshot, error) {
	mode, err := c.mode(ctx)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	hidden := map[string]string{}
	for _, resource := range resourcesOf(mode) {
		found, err := c.list(ctx, resource, namespace)
		if slices.Contains(children, resource) && apierrors.IsForbidden(err) {
			hidden[resource.Resource] = err.Error()
		} else if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return c.assemble(mode, hidden, objects)
}

// list returns the objects of a resource. It drops what is not read at once: the
// ConfigMaps of a cluster may be many.
func (c *Cluster) list(ctx context.Context, resource schema.GroupVersionResource, namespace string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	err := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.client.Resource(resource).Namespace(namespace).List(ctx, options)
	}).EachListItemWithAlloc(ctx, metav1.ListOptions{}, func(item runtime.Object) error {
		if object := item.(*unstructured.Unstructured); relevant(object) {
			objects = append(objects, object)
		}
		return nil
	})
	return objects, err
}

// relevant reports whether an object is read: a ConfigMap and a Deployment only if an
// object of ToolHive's group owns it.
func relevant(object *unstructured.Unstructured) bool {
	if kind := object.GetKind(); kind != "ConfigMap" && kind != "Deployment" {
		return true
	}
	return slices.ContainsFunc(object.GetOwnerReferences(), func(owner metav1.OwnerReference) bool {
		return strings.HasPrefix(owner.APIVersion, v1beta1.GroupVersion.Group+"/")
	})
}

func decode(object *unstructured.Unstructured, into any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into); err != nil {
		return fmt.Errorf("decoding %s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
	}
	return nil
}

// mode finds out whose CRDs the cluster has. Users who may not read CRDs may read the
// published schema.
func (c *Cluster) mode(ctx context.Context) (Mode, error) {
	text, err := c.raw.Get().AbsPath("/openapi/v3/apis/" + v1beta1.GroupVersion.String()).DoRaw(ctx)
	if apierrors.IsNotFound(err) {
		return "", fmt.Errorf("the cluster does not serve %s: neither ToolHive's nor scopegate's CRDs are installed", v1beta1.GroupVersion)
	}
	if err != nil {
		return "", err
	}
	return modeOf(text)
}

// modeOf goes by a field that only scopegate's CRDs have.
func modeOf(openAPI []byte) (Mode, error) {
	document := map[string]any{}
	if err := json.Unmarshal(openAPI, &document); err != nil {
		return "", fmt.Errorf("decoding the schema of %s: %w", v1beta1.GroupVersion, err)
	}
	kind := []string{"components", "schemas", "dev.stacklok.toolhive." + v1beta1.GroupVersion.Version + ".MCPExternalAuthConfig"}
	if _, found, _ := unstructured.NestedFieldNoCopy(document, kind...); !found {
		return "", errors.New("the cluster serves no MCPExternalAuthConfig: ToolHive's or scopegate's CRDs are not installed as a whole")
	}
	field := append(kind, "properties", "spec", "properties", "embeddedAuthServer", "properties", "scopesSupported")
	if _, found, _ := unstructured.NestedFieldNoCopy(document, field...); found {
		return Standalone, nil
	}
	return Guard, nil
}
