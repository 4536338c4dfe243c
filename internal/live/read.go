package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/scopegate/scopegate/api/v1beta1"
)

// pageSize is how many objects the API server is asked for at once.
const pageSize = 500

// Cluster is a way to a cluster.
type Cluster struct {
	client dynamic.Interface
	raw    rest.Interface
}

// New returns the way to the cluster that cfg names.
func New(cfg *rest.Config) (*Cluster, error) {
	cfg = rest.CopyConfig(cfg)
	// API Priority and Fairness is the limit.
	cfg.QPS = -1
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	raw, err := rest.UnversionedRESTClientFor(dynamic.ConfigFor(cfg))
	if err != nil {
		return nil, err
	}
	return &Cluster{client: client, raw: raw}, nil
}

// source is a resource that a snapshot is made of.
type source struct {
	resource schema.GroupVersionResource
	selector string
	// optional is what a user may lack the right to.
	optional bool
	add      func(*Snapshot, *unstructured.Unstructured) error
}

func consumers[T any, P interface {
	*T
	consumerObject
}](resource string) source {
	return source{resource: v1beta1.GroupVersion.WithResource(resource), add: func(s *Snapshot, object *unstructured.Unstructured) error {
		decoded, err := decode[T](object)
		if err == nil {
			s.Consumers = append(s.Consumers, consumerOf(P(decoded)))
		}
		return err
	}}
}

var judged = []source{
	{resource: v1beta1.GroupVersion.WithResource("mcpexternalauthconfigs"), add: func(s *Snapshot, object *unstructured.Unstructured) error {
		decoded, err := decode[v1beta1.MCPExternalAuthConfig](object)
		s.Configs = append(s.Configs, decoded)
		return err
	}},
	consumers[v1beta1.MCPServer]("mcpservers"),
	consumers[v1beta1.MCPRemoteProxy]("mcpremoteproxies"),
	consumers[v1beta1.VirtualMCPServer]("virtualmcpservers"),
}

var children = []source{
	{resource: corev1.SchemeGroupVersion.WithResource("configmaps"), optional: true,
		selector: componentLabel + " in (" + strings.Join(components, ",") + ")",
		add: func(s *Snapshot, object *unstructured.Unstructured) error {
			decoded, err := decode[corev1.ConfigMap](object)
			s.ConfigMaps = append(s.ConfigMaps, decoded)
			return err
		}},
	{resource: appsv1.SchemeGroupVersion.WithResource("deployments"), optional: true, add: func(s *Snapshot, object *unstructured.Unstructured) error {
		decoded, err := decode[appsv1.Deployment](object)
		if len(decoded.OwnerReferences) > 0 {
			s.Deployments = append(s.Deployments, decoded)
		}
		return err
	}},
}

func decode[T any](object *unstructured.Unstructured) (*T, error) {
	decoded := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, decoded); err != nil {
		return decoded, fmt.Errorf("decoding %s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
	}
	return decoded, nil
}

// Read returns what the cluster holds; an empty namespace stands for all.
func (c *Cluster) Read(ctx context.Context, namespace string) (*Snapshot, error) {
	mode, err := c.Mode(ctx)
	if err != nil {
		return nil, err
	}
	objects := make([][]*unstructured.Unstructured, len(sourcesOf(mode)))
	hidden := map[string]string{}
	var mu sync.Mutex
	group, listing := errgroup.WithContext(ctx)
	for i, source := range sourcesOf(mode) {
		group.Go(func() error {
			found, err := c.list(listing, source, namespace)
			objects[i] = found
			if source.optional && apierrors.IsForbidden(err) {
				mu.Lock()
				defer mu.Unlock()
				hidden[source.resource.Resource] = reason(err)
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return assemble(mode, hidden, objects)
}

func sourcesOf(mode Mode) []source {
	if mode == Whole {
		return judged
	}
	return append(append([]source{}, judged...), children...)
}

// assemble makes a snapshot of the objects of each source.
func assemble(mode Mode, hidden map[string]string, objects [][]*unstructured.Unstructured) (*Snapshot, error) {
	snapshot := &Snapshot{Mode: mode, Hidden: hidden}
	for i, source := range sourcesOf(mode) {
		for _, object := range objects[i] {
			if err := source.add(snapshot, object); err != nil {
				return nil, err
			}
		}
	}
	snapshot.sort()
	return snapshot, nil
}

func (c *Cluster) list(ctx context.Context, source source, namespace string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	options := metav1.ListOptions{Limit: pageSize, LabelSelector: source.selector}
	for {
		page, err := c.client.Resource(source.resource).Namespace(namespace).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", source.resource.Resource, err)
		}
		for i := range page.Items {
			objects = append(objects, &page.Items[i])
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return objects, nil
		}
	}
}

// openAPIPath is where every user can read the schema of the group.
var openAPIPath = "/openapi/v3/apis/" + v1beta1.GroupVersion.String()

// Mode tells whose CRDs the cluster has: only scopegate's have the field
// scopesSupported. The published schema tells users who may not read CRDs.
func (c *Cluster) Mode(ctx context.Context) (Mode, error) {
	text, err := c.raw.Get().AbsPath(openAPIPath).DoRaw(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return "", fmt.Errorf("the cluster does not serve %s: neither ToolHive's nor scopegate's CRDs are installed", v1beta1.GroupVersion)
	case err != nil:
		return "", fmt.Errorf("reading the schema of %s: %w", v1beta1.GroupVersion, err)
	}
	return modeOf(text)
}

type openAPISchema struct {
	Properties map[string]openAPISchema `json:"properties"`
}

func modeOf(openAPI []byte) (Mode, error) {
	document := struct {
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}{}
	if err := json.Unmarshal(openAPI, &document); err != nil {
		return "", fmt.Errorf("decoding the schema of %s: %w", v1beta1.GroupVersion, err)
	}
	text, ok := document.Components.Schemas["dev.stacklok.toolhive."+v1beta1.GroupVersion.Version+".MCPExternalAuthConfig"]
	if !ok {
		return "", errors.New("the cluster serves no MCPExternalAuthConfig: ToolHive's or scopegate's CRDs are not installed as a whole")
	}
	var schema openAPISchema
	if err := json.Unmarshal(text, &schema); err != nil {
		return "", fmt.Errorf("decoding the schema of MCPExternalAuthConfig: %w", err)
	}
	if _, ok := schema.Properties["spec"].Properties["embeddedAuthServer"].Properties["scopesSupported"]; ok {
		return Whole, nil
	}
	return Guard, nil
}

// reason is the API server's own reason for a refusal.
func reason(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Message
	}
	return err.Error()
}

// Namespaces returns the names of all namespaces.
func (c *Cluster) Namespaces(ctx context.Context) ([]string, error) {
	objects, err := c.list(ctx, source{resource: corev1.SchemeGroupVersion.WithResource("namespaces")}, "")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(objects))
	for i, object := range objects {
		names[i] = object.GetName()
	}
	return names, nil
}
