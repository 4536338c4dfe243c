// Package guard is the part that runs beside ToolHive's operator, on its CRDs.
// Policies of the API server reject edits and pods; they are written by hand in
// config/guard. The guard's manager does the work of the packages below: it
// writes one condition (writer), checks that the policies are effective (canary),
// and removes the condition again (cleanup).
//
// These are the manager's permissions on namespaced resources. They are separate
// from those in config/guard/rbac/cluster.yaml, so that Roles can grant them. In
// the namespace scopegate-canary the manager creates by dry run what the policies
// must reject, and stores one config that nothing references. A quota there lets
// nothing be stored that could run.
//
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,resources=mcpexternalauthconfigs;mcpservers;mcpremoteproxies;virtualmcpservers,verbs=list;watch
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,resources=mcpexternalauthconfigs/status;mcpservers/status;mcpremoteproxies/status;virtualmcpservers/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",namespace=scopegate-canary,resources=pods,verbs=create
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,namespace=scopegate-canary,resources=mcpservers;mcpremoteproxies;virtualmcpservers;mcpexternalauthconfigs,verbs=create
// +kubebuilder:rbac:groups=toolhive.stacklok.dev,namespace=scopegate-canary,resources=mcpexternalauthconfigs,resourceNames=scopegate-canary,verbs=get;patch;delete
// +kubebuilder:rbac:groups="",namespace=scopegate-system,resources=events,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=scopegate-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=scopegate-system,resources=leases,resourceNames=scopegate-guard.toolhive.stacklok.dev,verbs=get;update
package guard
