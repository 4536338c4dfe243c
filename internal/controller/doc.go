// Package controller maintains the conditions of all four kinds (guard.go), and in
// standalone mode also rolls out what the gate accepts (standalone.go). A reconciler gets,
// decides, and writes once.
//
// Reconcilers are level-triggered. Every lookup uses a field index (index.go),
// and every object that a decision reads is watched (watch.go), so there is no
// periodic requeue. Objects from the cache are not copied, so this package must
// not modify them.
//
// These are the permissions of standalone mode; those of the guard are in internal/guard.
//
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,resources=mcpexternalauthconfigs;mcpoidcconfigs,verbs=list;watch
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,resources=mcpservers;mcpremoteproxies;virtualmcpservers,verbs=get;list;watch
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,resources=mcpexternalauthconfigs/status;mcpservers/status;mcpremoteproxies/status;virtualmcpservers/status,verbs=patch
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
package controller
