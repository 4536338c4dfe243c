// Package guard is what runs beside ToolHive's operator, on its CRDs: the
// policies by which the API server warns of an edit, or refuses it, that would
// make a baseline unsupported. Its packages are what the guard's manager does
// beyond them: it keeps one condition (condition), tries the policies (canary),
// and takes the condition away again (cleanup).
//
// These are the rights of that manager, besides those on what has no namespace:
// they are in config/guard/rbac/cluster.yaml, by themselves, so that these can be
// granted by Roles. In its own namespace it creates what it tries by dry run, and
// stores one config that nothing references and one ConfigMap that nothing mounts.
//
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,resources=mcpexternalauthconfigs;mcpservers;mcpremoteproxies;virtualmcpservers,verbs=list;watch
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,resources=mcpexternalauthconfigs/status;mcpservers/status;mcpremoteproxies/status;virtualmcpservers/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,namespace=scopegate-system,resources=mcpservers;mcpremoteproxies;virtualmcpservers,verbs=create
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,namespace=scopegate-system,resources=mcpexternalauthconfigs,verbs=create
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,namespace=scopegate-system,resources=mcpexternalauthconfigs,resourceNames=scopegate-canary,verbs=delete
// +kubebuilder:rbac:groups="",namespace=scopegate-system,resources=events,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=scopegate-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups="",namespace=scopegate-system,resources=configmaps,verbs=create
// +kubebuilder:rbac:groups="",namespace=scopegate-system,resources=configmaps,resourceNames=scopegate-canary,verbs=update;delete
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=scopegate-system,resources=leases,resourceNames=scopegate-guard.toolhive.stacklok.dev,verbs=get;update
package guard
