package cluster

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
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

// Snapshot is what a cluster, or a namespace of it, holds, by kinds, namespaces and names.
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
