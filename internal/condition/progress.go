package condition

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/ptr"
)

// Progress reports whether a Deployment has replaced and started all of its pods,
// with a message like that of `kubectl rollout status`.
func Progress(deployment *appsv1.Deployment) (done bool, message string) {
	want, status := ptr.Deref(deployment.Spec.Replicas, 1), deployment.Status
	name := deployment.Name
	switch {
	case status.ObservedGeneration < deployment.Generation:
		return false, fmt.Sprintf("Deployment %q has changed and is not observed yet", name)
	case status.UpdatedReplicas < want:
		return false, fmt.Sprintf("Deployment %q has updated %d of %d pods", name, status.UpdatedReplicas, want)
	case status.Replicas > status.UpdatedReplicas:
		return false, fmt.Sprintf("Deployment %q has %d old pods pending termination", name, status.Replicas-status.UpdatedReplicas)
	case status.AvailableReplicas < status.UpdatedReplicas:
		return false, fmt.Sprintf("Deployment %q has %d of %d updated pods available", name, status.AvailableReplicas, status.UpdatedReplicas)
	default:
		return true, fmt.Sprintf("Deployment %q runs the auth server", name)
	}
}
