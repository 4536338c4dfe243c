package inventory

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
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
	// Deployments are owned by the consumer. Only with ToolHive's CRDs.
	Deployments []*appsv1.Deployment
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
