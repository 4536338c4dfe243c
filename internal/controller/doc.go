// Package controller keeps the statuses of all four kinds true, and rolls out
// what the gate lets through. A reconciler is: get, decide, one write.
//
// Reconcilers are level-triggered. Every lookup is by field index (index.go),
// and every object that a decision reads is watched (watch.go), so nothing is
// requeued by the clock. Objects of the cache are read without being copied:
// nothing in this package changes one.
//
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,resources=mcpexternalauthconfigs;mcpoidcconfigs,verbs=list;watch
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,resources=mcpservers;mcpremoteproxies;virtualmcpservers,verbs=get;list;watch
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,resources=mcpexternalauthconfigs/status;mcpservers/status;mcpremoteproxies/status;virtualmcpservers/status,verbs=patch
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
package controller
