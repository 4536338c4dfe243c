package inventory

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
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
	Mode Mode
	// Namespace is the namespace that was read, empty for the whole cluster.
	Namespace string
	Configs   []*v1beta1.MCPExternalAuthConfig
	Consumers []*Consumer
	// Unreadable maps what could not be read to the reason.
	Unreadable map[string]string
}

// Consumer is a consumer with its stored state.
type Consumer struct {
	resolve.Consumer
	UID        types.UID
	Generation int64
	// ManagedFields name who wrote the object.
	ManagedFields []metav1.ManagedFieldsEntry
	Status        *v1alpha1.Status
	// Deployment runs the auth server. ReadDeployments sets it, unless ToolHive's
	// operator has not created it.
	Deployment *appsv1.Deployment
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

// add adds an object of one of the four kinds. defaults are the default scopes of
// auth servers.
func (s *Snapshot) add(object kinds.Object, defaults []string) {
	if config, ok := object.(*v1beta1.MCPExternalAuthConfig); ok {
		s.Configs = append(s.Configs, config)
		return
	}
	consumer, _ := resolve.ConsumerOf(object)
	consumer.Defaults = defaults
	s.Consumers = append(s.Consumers, &Consumer{
		Consumer: consumer, UID: object.GetUID(), Generation: object.GetGeneration(), ManagedFields: object.GetManagedFields(), Status: object.GetStatus(),
	})
}

// leaveOut removes the objects of a namespace.
func (s *Snapshot) leaveOut(namespace string) {
	s.Configs = slices.DeleteFunc(s.Configs, func(c *v1beta1.MCPExternalAuthConfig) bool { return c.Namespace == namespace })
	s.Consumers = slices.DeleteFunc(s.Consumers, func(c *Consumer) bool { return c.Namespace == namespace })
}

// Notes returns what could not be read and why, sorted.
func (s *Snapshot) Notes() []string {
	var notes []string
	for what, why := range s.Unreadable {
		notes = append(notes, what+" could not be read: "+why)
	}
	slices.Sort(notes)
	return notes
}
