package cluster

import (
	"cmp"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// Mode is who runs the workloads.
type Mode string

// The modes, as reports name them.
const (
	// Standalone is a cluster with scopegate's own CRDs.
	Standalone Mode = "standalone"
	// Guard is a cluster with ToolHive's CRDs, whether the guard is there or not.
	Guard Mode = "guard"
)

// Snapshot is what a cluster, or a namespace of it, holds. Everything is in the order
// of namespaces, kinds and names.
type Snapshot struct {
	Mode      Mode
	Configs   []*v1beta1.MCPExternalAuthConfig
	Consumers []*Consumer
	// Hidden says of what could not be read why that is.
	Hidden map[string]string
}

// Consumer is a consumer as the cluster holds it.
type Consumer struct {
	resolve.Consumer
	Generation int64
	Status     *v1alpha1.Status
	// RunConfigs and Deployments are those that it owns, on ToolHive's CRDs.
	RunConfigs  []RunConfig
	Deployments []*appsv1.Deployment
}

// RunConfig is a ConfigMap into which ToolHive's operator writes a run config.
type RunConfig struct {
	// Name of the ConfigMap.
	Name string
	// Servers are the auth servers in it: none where its consumer runs none.
	Servers []toolhive.AuthServer
	// Err is why it can't be decoded.
	Err error
	// Held reports that the guard keeps its last good config.
	Held bool
}

// RunConfigOf decodes a ConfigMap, and reports whether it is one for run configs: by
// its keys or, where it has none yet, by ToolHive's label.
func RunConfigOf(configMap *corev1.ConfigMap, defaultScopes []string) (RunConfig, bool) {
	_, isJSON := configMap.Data[toolhive.RunConfigKey]
	_, isYAML := configMap.Data[toolhive.AuthServerConfigKey]
	component := configMap.Labels[toolhive.ComponentLabel]
	servers, err := toolhive.AuthServers(configMap.Data, defaultScopes)
	return RunConfig{Name: configMap.Name, Servers: servers, Err: err, Held: configMap.Labels[guard.HeldLabel] == "true"},
		isJSON || isYAML || component == toolhive.ComponentRunConfig || component == toolhive.ComponentVMCP
}

// Pair is a consumer with its verdict.
type Pair struct {
	resolve.Pair
	Consumer *Consumer
}

// Pairs resolves every consumer that runs an auth server, or would.
func (s *Snapshot) Pairs() []Pair {
	configs := map[types.NamespacedName]*v1beta1.MCPExternalAuthConfig{}
	for _, config := range s.Configs {
		configs[types.NamespacedName{Namespace: config.Namespace, Name: config.Name}] = config
	}
	var pairs []Pair
	for _, consumer := range s.Consumers {
		// The function finds in memory and never fails.
		pair, _ := resolve.Resolve(consumer.Consumer, func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
			return configs[types.NamespacedName{Namespace: consumer.Namespace, Name: name}], nil
		})
		if pair.Verdict.State != resolve.NoAuthServer {
			pairs = append(pairs, Pair{Pair: pair, Consumer: consumer})
		}
	}
	return pairs
}

// Notes say what could not be read and why, in order.
func (s *Snapshot) Notes() []string {
	var notes []string
	for what, why := range s.Hidden {
		notes = append(notes, what+" could not be read: "+why)
	}
	slices.Sort(notes)
	return notes
}

// kind is one that a snapshot is made of.
type kind struct {
	schema.GroupVersionResource
	new func() metav1.Object
	// child is what ToolHive's operator makes of the others. It is read on ToolHive's
	// CRDs only, and a user may lack the right.
	child bool
}

// kinds has owners before what they own, and consumers in the order of their names.
var kinds = []kind{
	{v1beta1.GroupVersion.WithResource("mcpexternalauthconfigs"), func() metav1.Object { return &v1beta1.MCPExternalAuthConfig{} }, false},
	{v1beta1.GroupVersion.WithResource("mcpremoteproxies"), func() metav1.Object { return &v1beta1.MCPRemoteProxy{} }, false},
	{v1beta1.GroupVersion.WithResource("mcpservers"), func() metav1.Object { return &v1beta1.MCPServer{} }, false},
	{v1beta1.GroupVersion.WithResource("virtualmcpservers"), func() metav1.Object { return &v1beta1.VirtualMCPServer{} }, false},
	{corev1.SchemeGroupVersion.WithResource("configmaps"), func() metav1.Object { return &corev1.ConfigMap{} }, true},
	{appsv1.SchemeGroupVersion.WithResource("deployments"), func() metav1.Object { return &appsv1.Deployment{} }, true},
}

// kindsOf are those that are read in a mode and not hidden.
func kindsOf(mode Mode, hidden map[string]string) []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(kind kind) bool { return kind.child && (mode == Standalone || hidden[kind.Resource] != "") })
}

// snapshot makes one of what list returns. What may not be read it adds to hidden.
func (c *Cluster) snapshot(mode Mode, hidden map[string]string, list func(kind) ([]any, error)) (*Snapshot, error) {
	snapshot := &Snapshot{Mode: mode, Hidden: hidden}
	owners := map[types.UID]*Consumer{}
	for _, kind := range kindsOf(mode, hidden) {
		found, err := list(kind)
		if kind.child && apierrors.IsForbidden(err) {
			hidden[kind.Resource] = err.Error()
		} else if err != nil {
			return nil, err
		}
		objects := make([]metav1.Object, len(found))
		for i := range found {
			objects[i] = kind.new()
			if err := decode(found[i], objects[i]); err != nil {
				return nil, fmt.Errorf("decoding %s: %w", kind.Resource, err)
			}
		}
		slices.SortFunc(objects, func(a, b metav1.Object) int {
			return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
		})
		for _, object := range objects {
			c.add(snapshot, owners, object)
		}
	}
	return snapshot, nil
}

func (c *Cluster) add(snapshot *Snapshot, owners map[types.UID]*Consumer, object metav1.Object) {
	if config, ok := object.(*v1beta1.MCPExternalAuthConfig); ok {
		snapshot.Configs = append(snapshot.Configs, config)
	}
	if consumer, ok := resolve.ConsumerOf(object); ok {
		consumer.Defaults = c.defaults
		status := object.(interface{ GetStatus() *v1alpha1.Status }).GetStatus()
		owners[object.GetUID()] = &Consumer{Consumer: consumer, Generation: object.GetGeneration(), Status: status}
		snapshot.Consumers = append(snapshot.Consumers, owners[object.GetUID()])
	}
	for _, reference := range object.GetOwnerReferences() {
		owner := owners[reference.UID]
		if owner == nil {
			continue
		}
		switch object := object.(type) {
		case *appsv1.Deployment:
			owner.Deployments = append(owner.Deployments, object)
		case *corev1.ConfigMap:
			if runConfig, ok := RunConfigOf(object, c.defaults); ok {
				owner.RunConfigs = append(owner.RunConfigs, runConfig)
			}
		}
	}
}
