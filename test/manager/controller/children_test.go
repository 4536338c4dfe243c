package controller_test

import (
	"context"
	"strings"
	"sync"
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
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestChangedChildIsRestored undoes what somebody else adds to a child, and keeps what
// scopegate leaves to others. internal/rollout changes each field.
func TestChangedChildIsRestored(t *testing.T) {
	t.Parallel()
	server := rollingServer(t)
	fingerprint(t, server)
	deployment, service := deploymentOf(server), serviceOf(server)
	cluster.Get(t, deployment)
	// Else clusters with the plugin OwnerReferencesPermissionEnforcement would need another right.
	expect.Equal(t, "the child blocks the deletion of its owner", false, ptr.Deref(metav1.GetControllerOf(deployment).BlockOwnerDeletion, false))
	want := deployment.Spec.DeepCopy()
	want.Replicas = ptr.To[int32](0)
	want.Template.Spec.NodeSelector = map[string]string{"disk": "ssd"}
	testenv.Edit(t, cluster, deployment, func(d *appsv1.Deployment) {
		d.Spec.Replicas = want.Replicas
		pod := &d.Spec.Template.Spec
		pod.NodeSelector = want.Template.Spec.NodeSelector
		ours := pod.Containers[0]
		ours.Command = []string{"sh"}
		ours.Env = []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "x"}}
		ours.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh"}}}}
		foreign := func(name string) corev1.Container { return corev1.Container{Name: name, Image: "somebody:else"} }
		pod.InitContainers = []corev1.Container{foreign("init")}
		pod.Containers = []corev1.Container{foreign("before"), ours, foreign("after")}
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "theirs"})
		pod.HostNetwork = true
		pod.ServiceAccountName = "theirs"
	})
	testenv.Await(t, cluster.Client, deploymentOf(server), "has what was left to others, and no more", func(d *appsv1.Deployment) bool {
		return d.Generation > deployment.Generation && equality.Semantic.DeepEqual(d.Spec, *want)
	})

	cluster.Delete(t, deployment)
	testenv.Await(t, cluster.Client, deploymentOf(server), "is created again", func(d *appsv1.Deployment) bool { return d.UID != deployment.UID })

	cluster.Get(t, service)
	rendered := service.Spec.DeepCopy()
	testenv.Edit(t, cluster, service, func(s *corev1.Service) {
		s.Annotations = map[string]string{"example.com/theirs": "kept"}
		s.Spec.Type = corev1.ServiceTypeNodePort
		s.Spec.Selector["app.kubernetes.io/instance"], s.Spec.Selector["theirs"] = "somebody-else", "x"
		s.Spec.Ports[0].TargetPort = intstr.FromInt32(1)
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "theirs", Port: 9090})
	})
	rendered.Ports[0].NodePort = service.Spec.Ports[0].NodePort
	testenv.Await(t, cluster.Client, serviceOf(server), "leads to its pod again, and keeps its type, node port and annotation", func(s *corev1.Service) bool {
		return equality.Semantic.DeepEqual(s.Spec.Selector, rendered.Selector) && equality.Semantic.DeepEqual(s.Spec.Ports, rendered.Ports) &&
			s.Spec.Type == corev1.ServiceTypeNodePort && s.Annotations["example.com/theirs"] == "kept"
	})

	cluster.Delete(t, service)
	testenv.Await(t, cluster.Client, serviceOf(server), "is created again", func(s *corev1.Service) bool { return s.UID != service.UID })
}

// mendImage changes the image of a consumer's Deployment, and waits until the manager
// restores it.
func mendImage(t *testing.T, deployment *appsv1.Deployment) {
	t.Helper()
	cluster.Get(t, deployment)
	testenv.Edit(t, cluster, deployment, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "somebody:else" })
	testenv.Await(t, cluster.Client, deployment, "has its image back", func(d *appsv1.Deployment) bool {
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
	namesake := lagging.DeepCopy()
	namesake.UID = "another"
	for what, owner := range map[string]*v1beta1.MCPServer{"a lagging cache": lagging, "an object of the same name": namesake} {
		expect.NoError(t, applier.Remove(t.Context(), owner, childKey(server).Name, gone))
		expect.Equal(t, what+" changed the children", before, fingerprint(t, server))
	}
}

// checkedServer stores a server, and returns what the gate admits. The manager has no config.
func checkedServer(t *testing.T) (*v1beta1.MCPServer, rollout.Checked) {
	t.Helper()
	namespace := cluster.Namespace(t)
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	cluster.Create(t, server)
	checked, hold := rollout.Check(sample.Pair(server, sample.Config(namespace, "shared")), true)
	if hold != nil {
		t.Fatalf("held for %s: %s", hold.Reason, hold.Message)
	}
	return server, checked
}

// TestADeletedOwnerGetsNoChildren rolls out a consumer that the cache still has. It was deleted,
// or deleted and created again.
func TestADeletedOwnerGetsNoChildren(t *testing.T) {
	t.Parallel()
	server, checked := checkedServer(t)
	older, deleted := server.DeepCopy(), sample.Server(server.Namespace, "gone", sample.AuthServerRef("shared"))
	older.UID, deleted.UID = "older", "deleted"
	for _, owner := range []*v1beta1.MCPServer{older, deleted} {
		_, err := (&rollout.Applier{Client: cluster.Client, Live: cluster.Client, Image: "x"}).Apply(t.Context(), owner, checked)
		if !apierrors.IsConflict(err) {
			t.Errorf("a rollout for the deleted %s returns %v, want a conflict", owner.Name, err)
		}
	}
	noChildren(t, server)
}

// TestRemoveLeavesWhatIsSomebodyElsesByNow lets somebody take over the children
// between the read from the cache and the deletion.
func TestRemoveLeavesWhatIsSomebodyElsesByNow(t *testing.T) {
	t.Parallel()
	server := rollingServer(t)
	children := []client.Object{&appsv1.Deployment{}, &corev1.Service{}}
	live := interceptor.NewClient(cluster.Client, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
		for _, child := range children {
			child.SetNamespace(server.Namespace)
			child.SetName(childKey(server).Name)
			cluster.Patch(t, child, `{"metadata":{"ownerReferences":null}}`)
		}
		return c.Get(ctx, key, object, options...)
	}})
	applier := &rollout.Applier{Client: cluster.Client, Live: live}
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

// TestAWriteIsBoundToWhatWasRead replaces a child by somebody else's object of
// the same name between the last read and the write, which must not take it over.
func TestAWriteIsBoundToWhatWasRead(t *testing.T) {
	t.Parallel()
	server, checked := checkedServer(t)
	theirs := &corev1.Service{ObjectMeta: childKey(server), Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "theirs"}, Ports: []corev1.ServicePort{{Name: "theirs", Port: 80}},
	}}
	ours := theirs.DeepCopy()
	ours.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(server, v1beta1.GroupVersion.WithKind("MCPServer"))}
	cluster.Create(t, ours)

	var once sync.Once
	live := interceptor.NewClient(cluster.Client, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
		err := c.Get(ctx, key, object, options...)
		once.Do(func() {
			cluster.Delete(t, ours.DeepCopy())
			testenv.AwaitGone(t, cluster.Client, ours.DeepCopy())
			cluster.Create(t, theirs)
		})
		return err
	}})
	applier := &rollout.Applier{Client: cluster.Client, Live: live, Image: "x"}
	if _, err := applier.Apply(t.Context(), server, checked); err == nil {
		t.Error("the apply succeeded over somebody else's Service")
	}
	after := serviceOf(server)
	cluster.Get(t, after)
	if after.ResourceVersion != theirs.ResourceVersion {
		t.Errorf("somebody else's Service was written: %+v", after.ManagedFields)
	}
}

func TestAnUncheckedPairCanNotBeApplied(t *testing.T) {
	t.Parallel()
	server := sample.Server("ns", "web", sample.AuthServerRef("shared"))
	_, err := (&rollout.Applier{}).Apply(t.Context(), server, rollout.Checked{})
	expect.Error(t, err, "not checked")
}
