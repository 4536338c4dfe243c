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

// Mode says which operator runs the workloads.
type Mode string

// The modes, as reports name them.
const (
	// Standalone means that the cluster has scopegate's own CRDs.
	Standalone Mode = "standalone"
	// Guard means that the cluster has ToolHive's CRDs, with or without the
	// guard.
	Guard Mode = "guard"
)

// Snapshot has the objects of a cluster or a namespace, ordered by kind,
// namespace and name.
type Snapshot struct {
	Mode      Mode
	Configs   []*v1beta1.MCPExternalAuthConfig
	Consumers []*Consumer
	// Hidden maps what could not be read to the reason.
	Hidden map[string]string
}

// Consumer is a consumer with its stored state.
type Consumer struct {
	resolve.Consumer
	Generation int64
	Status     *v1alpha1.Status
	// RunConfigs and Deployments are owned by the consumer. Only with ToolHive's
	// CRDs.
	RunConfigs  []RunConfig
	Deployments []*appsv1.Deployment
}

// RunConfig is a ConfigMap into which ToolHive's operator writes a run config.
type RunConfig struct {
	// Name is the name of the ConfigMap.
	Name string
	// Servers are the auth servers in the ConfigMap; empty if its consumer runs
	// none.
	Servers []toolhive.AuthServer
	// Err is the decoding error, if any.
	Err error
	// Held is true if the guard keeps the last good run config.
	Held bool
}

// RunConfigOf decodes a ConfigMap, and reports whether it is one for run configs:
// by its keys, or by ToolHive's label if it has no keys yet.
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

// Pairs returns the pair of every consumer that runs an auth server, or would run
// one.
func (s *Snapshot) Pairs() []Pair {
	configs := map[types.NamespacedName]*v1beta1.MCPExternalAuthConfig{}
	for _, config := range s.Configs {
		configs[types.NamespacedName{Namespace: config.Namespace, Name: config.Name}] = config
	}
	var pairs []Pair
	for _, consumer := range s.Consumers {
		// The lookup is in memory and never fails.
		pair, _ := resolve.Resolve(consumer.Consumer, func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
			return configs[types.NamespacedName{Namespace: consumer.Namespace, Name: name}], nil
		})
		if pair.Verdict.State != resolve.NoAuthServer {
			pairs = append(pairs, Pair{Pair: pair, Consumer: consumer})
		}
	}
	return pairs
}

// Notes returns what could not be read and why, sorted.
func (s *Snapshot) Notes() []string {
	var notes []string
	for what, why := range s.Hidden {
		notes = append(notes, what+" could not be read: "+why)
	}
	slices.Sort(notes)
	return notes
}
