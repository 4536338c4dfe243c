package live

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
)

// Mode is who runs the workloads.
type Mode string

// The modes.
const (
	// Whole is a cluster with scopegate's own CRDs.
	Whole Mode = "whole"
	// Guard is a cluster with ToolHive's CRDs, whether the guard is there or not.
	Guard Mode = "guard"
)

// Labels of the guard, as its package has them; that one is not imported since it
// also makes policies.
const (
	// ModeLabel on a namespace says what the guard does there; ModeOff is nothing.
	ModeLabel = "scopegate.dev/guard"
	ModeOff   = "off"
	// HeldLabel is "true" on a ConfigMap whose last good run config the guard keeps.
	HeldLabel = "scopegate.dev/held"
)

// componentLabel is on the ConfigMaps into which ToolHive's operator writes run
// configs, with one of the values in components.
const componentLabel = "toolhive.stacklok.io/component"

var components = []string{"run-config", "vmcp-config"}

// Snapshot is what a cluster, or a namespace of it, holds.
type Snapshot struct {
	Mode Mode
	// Configs and Consumers are in the order of their namespaces and names.
	Configs   []*v1beta1.MCPExternalAuthConfig
	Consumers []Consumer
	// ConfigMaps are those with run configs and Deployments all that a consumer
	// owns; only in guard mode.
	ConfigMaps  []*corev1.ConfigMap
	Deployments []*appsv1.Deployment
	// Hidden tells of the resources that could not be read why that is.
	Hidden map[string]string
}

// Consumer is a consumer as the cluster holds it.
type Consumer struct {
	resolve.Consumer
	UID        types.UID
	Generation int64
	Status     *v1alpha1.Status
}

// consumerObject is a kind of consumers.
type consumerObject interface {
	metav1.Object
	GetStatus() *v1alpha1.Status
}

func consumerOf(object consumerObject) Consumer {
	consumer, _ := resolve.Of(object)
	return Consumer{Consumer: consumer, UID: object.GetUID(), Generation: object.GetGeneration(), Status: object.GetStatus()}
}

// Pair is a consumer with its verdict.
type Pair struct {
	resolve.Pair
	Consumer Consumer
}

// Pairs judges every consumer that runs an auth server, or would.
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

// ConfigMapsOf returns the ConfigMaps that a consumer owns.
func (s *Snapshot) ConfigMapsOf(consumer Consumer) []*corev1.ConfigMap {
	return ownedBy(consumer, s.ConfigMaps)
}

// DeploymentsOf returns the Deployments that a consumer owns.
func (s *Snapshot) DeploymentsOf(consumer Consumer) []*appsv1.Deployment {
	return ownedBy(consumer, s.Deployments)
}

func ownedBy[T metav1.Object](consumer Consumer, all []T) []T {
	var owned []T
	for _, object := range all {
		if slices.ContainsFunc(object.GetOwnerReferences(), func(owner metav1.OwnerReference) bool { return owner.UID == consumer.UID }) {
			owned = append(owned, object)
		}
	}
	return owned
}

// IsHeld tells whether the guard holds the change of a ConfigMap.
func IsHeld(configMap *corev1.ConfigMap) bool { return configMap.Labels[HeldLabel] == "true" }

// sort puts everything in the order of namespace, kind and name.
func (s *Snapshot) sort() {
	byName := func(namespaceA, kindA, nameA, namespaceB, kindB, nameB string) int {
		return strings.Compare(strings.Join([]string{namespaceA, kindA, nameA}, "\x00"), strings.Join([]string{namespaceB, kindB, nameB}, "\x00"))
	}
	slices.SortFunc(s.Configs, func(a, b *v1beta1.MCPExternalAuthConfig) int {
		return byName(a.Namespace, "", a.Name, b.Namespace, "", b.Name)
	})
	slices.SortFunc(s.Consumers, func(a, b Consumer) int { return byName(a.Namespace, a.Kind, a.Name, b.Namespace, b.Kind, b.Name) })
	slices.SortFunc(s.ConfigMaps, func(a, b *corev1.ConfigMap) int { return byName(a.Namespace, "", a.Name, b.Namespace, "", b.Name) })
	slices.SortFunc(s.Deployments, func(a, b *appsv1.Deployment) int { return byName(a.Namespace, "", a.Name, b.Namespace, "", b.Name) })
}

// HiddenNotes are the notes on what could not be read, in order.
func (s *Snapshot) HiddenNotes() []string {
	var notes []string
	for resource, why := range s.Hidden {
		notes = append(notes, fmt.Sprintf("%s could not be read: %s", resource, why))
	}
	slices.Sort(notes)
	return notes
}
