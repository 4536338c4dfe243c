package rollout

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// restored returns live with all fields that scopegate owns as in desired.
// docs/standalone.md lists the fields that are left to others.
func restored(live, desired client.Object) client.Object {
	after := live.DeepCopyObject().(client.Object)
	after.SetLabels(with(live.GetLabels(), desired.GetLabels()))
	switch after := after.(type) {
	case *appsv1.Deployment:
		spec := desired.(*appsv1.Deployment).Spec
		template := &after.Spec.Template
		after.Spec.Strategy = spec.Strategy
		template.Labels = with(template.Labels, spec.Template.Labels)
		template.Annotations = with(template.Annotations, spec.Template.Annotations)
		template.Spec = restoredPod(template.Spec, spec.Template.Spec)
	case *corev1.Service:
		spec := desired.(*corev1.Service).Spec
		after.Spec.Selector = spec.Selector
		after.Spec.Ports = restoredPorts(after.Spec.Ports, spec.Ports)
	}
	return after
}

// restoredPod returns the desired pod, except for scheduling and image pulls.
func restoredPod(live, desired corev1.PodSpec) corev1.PodSpec {
	after := *desired.DeepCopy()
	after.NodeSelector = live.NodeSelector
	after.Affinity = live.Affinity
	after.Tolerations = live.Tolerations
	after.TopologySpreadConstraints = live.TopologySpreadConstraints
	after.SchedulerName = live.SchedulerName
	after.PriorityClassName = live.PriorityClassName
	after.ImagePullSecrets = live.ImagePullSecrets
	for i := range after.Containers {
		for _, container := range live.Containers {
			if container.Name == after.Containers[i].Name {
				after.Containers[i].ImagePullPolicy = container.ImagePullPolicy
			}
		}
	}
	return after
}

// restoredPorts returns the desired ports, with the node ports of the API server.
func restoredPorts(live, desired []corev1.ServicePort) []corev1.ServicePort {
	after := make([]corev1.ServicePort, len(desired))
	for i, port := range desired {
		for _, found := range live {
			if found.Name == port.Name {
				port.NodePort = found.NodePort
			}
		}
		after[i] = port
	}
	return after
}

// with returns the entries of both maps; desired wins.
func with(live, desired map[string]string) map[string]string {
	after := maps.Clone(live)
	if after == nil {
		after = map[string]string{}
	}
	maps.Copy(after, desired)
	return after
}
