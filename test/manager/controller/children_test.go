package controller_test

import (
	"context"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestChangedChildIsRestored undoes what somebody else changes of a child, and keeps
// what they add.
func TestChangedChildIsRestored(t *testing.T) {
	t.Parallel()
	server := rollingServer(t)
	fingerprint(t, server)
	deployment := deploymentOf(server)
	cluster.Get(t, deployment)
	testenv.Edit(t, cluster, deployment, func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32) })
	mended := mendImage(t, deployment)
	if *mended.Spec.Replicas != 0 {
		t.Errorf("replicas, which scopegate leaves to others, went from 0 to %d", *mended.Spec.Replicas)
	}

	cluster.Delete(t, deployment)
	testenv.Await(t, cluster.Client, deploymentOf(server), "is created again", func(d *appsv1.Deployment) bool { return d.UID != deployment.UID })

	service := serviceOf(server)
	cluster.Get(t, service)
	rendered := service.Spec.DeepCopy()
	testenv.Edit(t, cluster, service, func(s *corev1.Service) {
		s.Spec.Selector["app.kubernetes.io/instance"] = "somebody-else"
		s.Spec.Ports[0].TargetPort = intstr.FromInt32(1)
		s.Annotations = map[string]string{"example.com/theirs": "kept"}
	})
	repaired := testenv.Await(t, cluster.Client, service, "leads to its pod again", func(s *corev1.Service) bool {
		return equality.Semantic.DeepEqual(s.Spec.Selector, rendered.Selector) && equality.Semantic.DeepEqual(s.Spec.Ports, rendered.Ports)
	})
	if repaired.Annotations["example.com/theirs"] != "kept" {
		t.Error("somebody else's annotation is gone")
	}

	cluster.Delete(t, service)
	testenv.Await(t, cluster.Client, serviceOf(server), "is created again", func(s *corev1.Service) bool { return s.UID != service.UID })
}

// mendImage changes the image of a consumer's Deployment, and waits until the manager
// restores it.
func mendImage(t *testing.T, deployment *appsv1.Deployment) *appsv1.Deployment {
	t.Helper()
	cluster.Get(t, deployment)
	testenv.Edit(t, cluster, deployment, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "somebody:else" })
	return testenv.Await(t, cluster.Client, deployment, "has its image back", func(d *appsv1.Deployment) bool {
		return d.Spec.Template.Spec.Containers[0].Image == testenv.AuthServerImage
	})
}

// TestRolloutIsRetried lets a quota forbid the Deployment. When the quota goes, nothing
// that the manager watches changes.
func TestRolloutIsRetried(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	none := corev1.ResourceList{"count/deployments.apps": resource.MustParse("0")}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "none"}, Spec: corev1.ResourceQuotaSpec{Hard: none}}
	cluster.Create(t, quota)
	quota.Status = corev1.ResourceQuotaStatus{Hard: none, Used: none}
	expect.NoError(t, cluster.Client.Status().Update(t.Context(), quota))
	server := sample.Server(namespace, "web", sample.AuthServerRef("auth", "openid"))
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), sample.Config(namespace, "auth", "openid"), server)
	testenv.Await(t, cluster.Client, server, "names the quota", func(s *v1beta1.MCPServer) bool {
		ready := testenv.Condition(s.Status.Conditions, v1alpha1.ConditionReady)
		return ready.Reason == v1alpha1.ReasonRolloutFailed && strings.Contains(ready.Message, "exceeded quota: none")
	})
	cluster.Delete(t, quota)
	testenv.Await(t, cluster.Client, deploymentOf(server), "is created", func(*appsv1.Deployment) bool { return true })
}

// leftToOthers changes what scopegate leaves to others in a pod.
func leftToOthers(pod *corev1.PodSpec) {
	pod.NodeSelector = map[string]string{"disk": "ssd"}
	pod.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}}
	pod.Tolerations = []corev1.Toleration{{Key: "theirs", Operator: corev1.TolerationOpExists}}
	pod.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule}}
	pod.SchedulerName, pod.PriorityClassName = "theirs", "theirs"
	pod.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "theirs"}}
	pod.Containers[0].ImagePullPolicy = corev1.PullAlways
}

// TestAdditionsAreRemoved adds to a child what changes which processes run, what they
// see, or what is reached through the Service. scopegate restores the child, except
// for the fields that it leaves to others.
func TestAdditionsAreRemoved(t *testing.T) {
	t.Parallel()
	foreign := corev1.Container{Name: "theirs", Image: "somebody:else"}
	deployments := map[string]func(*corev1.PodSpec){
		"a container":        func(pod *corev1.PodSpec) { pod.Containers = append(pod.Containers, foreign) },
		"a container before": func(pod *corev1.PodSpec) { pod.Containers = append([]corev1.Container{foreign}, pod.Containers...) },
		"an init container":  func(pod *corev1.PodSpec) { pod.InitContainers = []corev1.Container{foreign} },
		"a command":          func(pod *corev1.PodSpec) { pod.Containers[0].Command = []string{"sh"} },
		"an argument":        func(pod *corev1.PodSpec) { pod.Containers[0].Args = append(pod.Containers[0].Args, "--more") },
		"a variable":         func(pod *corev1.PodSpec) { pod.Containers[0].Env = []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "x"}} },
		"a hook": func(pod *corev1.PodSpec) {
			pod.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh"}}}}
		},
		"a volume":             func(pod *corev1.PodSpec) { pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "theirs"}) },
		"the network of nodes": func(pod *corev1.PodSpec) { pod.HostNetwork = true },
		"a service account":    func(pod *corev1.PodSpec) { pod.ServiceAccountName = "theirs" },
	}
	for name, add := range deployments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, _ := rolledOut(t)
			after := before.DeepCopy()
			testenv.Edit(t, cluster, after, func(d *appsv1.Deployment) {
				d.Spec.Replicas = ptr.To[int32](3)
				d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] = "now"
				leftToOthers(&d.Spec.Template.Spec)
				add(&d.Spec.Template.Spec)
			})
			want := before.Spec.DeepCopy()
			want.Replicas = after.Spec.Replicas
			want.Template.Annotations = after.Spec.Template.Annotations
			leftToOthers(&want.Template.Spec)
			testenv.Await(t, cluster.Client, before, "has what was left to others, and no more", func(d *appsv1.Deployment) bool {
				return d.Generation > after.Generation && equality.Semantic.DeepEqual(d.Spec, *want)
			})
		})
	}
	services := map[string]func(*corev1.ServiceSpec){
		"a port":               func(s *corev1.ServiceSpec) { s.Ports = append(s.Ports, corev1.ServicePort{Name: "theirs", Port: 9090}) },
		"a label to select by": func(s *corev1.ServiceSpec) { s.Selector["theirs"] = "x" },
	}
	for name, add := range services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, before := rolledOut(t)
			after := before.DeepCopy()
			testenv.Edit(t, cluster, after, func(s *corev1.Service) {
				s.Spec.Type = corev1.ServiceTypeNodePort
				add(&s.Spec)
			})
			testenv.Await(t, cluster.Client, before, "has its ports and selector, and keeps its type and node port", func(s *corev1.Service) bool {
				return equality.Semantic.DeepEqual(s.Spec.Selector, before.Spec.Selector) && len(s.Spec.Ports) == 1 &&
					s.Spec.Type == corev1.ServiceTypeNodePort && s.Spec.Ports[0].NodePort == after.Spec.Ports[0].NodePort
			})
		})
	}
}

func rolledOut(t *testing.T) (*appsv1.Deployment, *corev1.Service) {
	t.Helper()
	server := rollingServer(t)
	deployment, service := deploymentOf(server), serviceOf(server)
	for _, child := range []client.Object{deployment, service} {
		cluster.Get(t, child)
	}
	return deployment, service
}

// TestWhatGoesFromTheConfigGoesFromThePod removes a secret from the config: the
// pod must not keep the variable that Create once set.
func TestWhatGoesFromTheConfigGoesFromThePod(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared")
	secret := &v1alpha1.SecretKeyRef{Name: "s", Key: "k"}
	config.Spec.EmbeddedAuthServer.UpstreamProviders[0].OIDCConfig.ClientSecretRef = secret
	config.Spec.EmbeddedAuthServer.HMACSecretRefs = []v1alpha1.SecretKeyRef{*secret}
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), config, server)
	parts := func(d *appsv1.Deployment) [2]int {
		return [2]int{len(d.Spec.Template.Spec.Containers[0].Env), len(d.Spec.Template.Spec.Volumes)}
	}
	testenv.Await(t, cluster.Client, deploymentOf(server), "has the secrets", func(d *appsv1.Deployment) bool { return parts(d) == [2]int{1, 2} })
	testenv.Edit(t, cluster, config, func(c *v1beta1.MCPExternalAuthConfig) {
		c.Spec.EmbeddedAuthServer.UpstreamProviders[0].OIDCConfig.ClientSecretRef = nil
		c.Spec.EmbeddedAuthServer.HMACSecretRefs = nil
	})
	testenv.Await(t, cluster.Client, deploymentOf(server), "has no secret", func(d *appsv1.Deployment) bool { return parts(d) == [2]int{0, 1} })
}

// TestRemoveAsksTheLiveObject removes children by a stale copy of the consumer
// without references. The live object still has them, so the children must
// stay.
func TestRemoveAsksTheLiveObject(t *testing.T) {
	t.Parallel()
	server := rollingServer(t)
	before := fingerprint(t, server)
	lagging := server.DeepCopy()
	lagging.Spec.AuthReferences = v1alpha1.AuthReferences{}

	applier := &rollout.Applier{Client: cluster.Client, Live: cluster.Client}
	gone := func(object client.Object) bool {
		consumer, _ := resolve.ConsumerOf(object)
		return !consumer.References()
	}
	for what, owner := range map[string]*v1beta1.MCPServer{"a lagging cache": lagging, "an object of the same name": func() *v1beta1.MCPServer {
		other := lagging.DeepCopy()
		other.UID = "another"
		return other
	}()} {
		if err := applier.Remove(t.Context(), owner, childKey(server).Name, gone); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if after := fingerprint(t, server); len(after) != len(before) || after[0] != before[0] {
			t.Errorf("%s cost the children: %v, want %v", what, after, before)
		}
	}
}

// TestRemoveLeavesWhatIsSomebodyElsesByNow lets somebody take over the children
// between the read from the cache and the deletion.
func TestRemoveLeavesWhatIsSomebodyElsesByNow(t *testing.T) {
	t.Parallel()
	server := rollingServer(t)
	children := []client.Object{&appsv1.Deployment{}, &corev1.Service{}}
	takeOver := func() {
		for _, child := range children {
			child.SetNamespace(server.Namespace)
			child.SetName(childKey(server).Name)
			cluster.Patch(t, child, `{"metadata":{"ownerReferences":null}}`)
		}
	}
	applier := &rollout.Applier{Client: cluster.Client, Live: readerAfter{cluster.Client, takeOver}}
	err := applier.Remove(t.Context(), server, childKey(server).Name, func(client.Object) bool { return true })
	if !apierrors.IsConflict(err) {
		t.Errorf("the deletion returns %v, want a conflict", err)
	}
	for _, child := range children {
		uid := child.GetUID()
		if err := cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(child), child); err != nil || child.GetUID() != uid || child.GetDeletionTimestamp() != nil {
			t.Errorf("%T belongs to somebody else, but has changed: %v", child, err)
		}
	}
}

// readerAfter reads after something has happened.
type readerAfter struct {
	client.Reader
	happen func()
}

// Get implements client.Reader.
func (r readerAfter) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	r.happen()
	return r.Reader.Get(ctx, key, object, options...)
}

func TestAnUncheckedPairCanNotBeApplied(t *testing.T) {
	t.Parallel()
	server := sample.Server(cluster.Namespace(t), "web", v1alpha1.AuthReferences{})
	cluster.Create(t, server)
	applier := &rollout.Applier{Client: cluster.Client, Live: cluster.Client}
	if _, err := applier.Apply(t.Context(), server, rollout.Checked{}); err == nil {
		t.Error("the zero value was applied")
	}
	err := cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(deploymentOf(server)), &appsv1.Deployment{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("a Deployment was made: %v", err)
	}
}
