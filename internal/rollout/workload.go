package rollout

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// Labels and annotations of the children.
const (
	// LabelManagedBy marks the Deployments and Services that scopegate creates.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "scopegate"
	// RunConfigAnnotation is the annotation of the pod template with the run
	// config.
	RunConfigAnnotation = "scopegate.toolhive.stacklok.dev/run-config"

	labelName     = "app.kubernetes.io/name"
	labelInstance = "app.kubernetes.io/instance"
)

const (
	containerName  = "auth-server"
	portName       = "http"
	port           = 8080
	runConfigPath  = "/etc/scopegate"
	runConfigFile  = "runconfig.json"
	livenessPath   = "/healthz"
	readinessPath  = "/readyz"
	nonRootUser    = 65532
	secretFileMode = 0o440
)

// deployment renders the Deployment of a checked pair. Do not change the result
// for the same pair between releases without need: each change rolls every auth
// server.
func (c Checked) deployment(image string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: c.objectMeta(),
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: c.selector()},
			// The old pod keeps running until the new one is ready.
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: ptr.To(intstr.FromInt32(0)), MaxSurge: ptr.To(intstr.FromInt32(1)),
				},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      c.labels(),
					Annotations: map[string]string{RunConfigAnnotation: c.runConfig},
				},
				Spec: c.podSpec(image),
			},
		},
	}
}

// podSpec also sets the API server's defaults, because the whole pod is compared.
func (c Checked) podSpec(image string) corev1.PodSpec {
	volumes, mounts := c.volumes()
	return corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyAlways,
		TerminationGracePeriodSeconds: ptr.To[int64](corev1.DefaultTerminationGracePeriodSeconds),
		DNSPolicy:                     corev1.DNSClusterFirst,
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   ptr.To(true),
			RunAsUser:      ptr.To[int64](nonRootUser),
			RunAsGroup:     ptr.To[int64](nonRootUser),
			FSGroup:        ptr.To[int64](nonRootUser),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name:         containerName,
			Image:        image,
			Args:         []string{"--config", runConfigPath + "/" + runConfigFile, "--listen", ":8080"},
			Ports:        []corev1.ContainerPort{{Name: portName, ContainerPort: port, Protocol: corev1.ProtocolTCP}},
			Env:          c.env(),
			VolumeMounts: mounts,
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
				},
				Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
			},
			TerminationMessagePath:   corev1.TerminationMessagePathDefault,
			TerminationMessagePolicy: corev1.TerminationMessageReadFile,
			LivenessProbe:            probe(livenessPath),
			ReadinessProbe:           probe(readinessPath),
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false),
				ReadOnlyRootFilesystem:   ptr.To(true),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
		Volumes: volumes,
	}
}

func probe(path string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(portName), Scheme: corev1.URISchemeHTTP}},
		TimeoutSeconds:   2,
		PeriodSeconds:    10,
		SuccessThreshold: 1,
		FailureThreshold: 3,
	}
}

// service renders the Service of a checked pair.
func (c Checked) service() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: c.objectMeta(),
		Spec: corev1.ServiceSpec{
			Selector: c.selector(),
			Ports: []corev1.ServicePort{{
				Name: portName, Port: c.consumer.Port, TargetPort: intstr.FromString(portName), Protocol: corev1.ProtocolTCP,
			}},
		},
	}
}

func (c Checked) objectMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: c.consumer.Namespace, Name: ChildName(c.consumer), Labels: c.labels()}
}

func (c Checked) selector() map[string]string {
	return map[string]string{labelName: containerName, labelInstance: ChildName(c.consumer)}
}

func (c Checked) labels() map[string]string {
	labels := c.selector()
	labels[LabelManagedBy] = ManagedBy
	return labels
}
