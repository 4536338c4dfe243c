package guard_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// held makes a workload whose ConfigMap is held.
func held(t *testing.T, namespace string) (config *corev1.ConfigMap, deployment *appsv1.Deployment, service *corev1.Service) {
	t.Helper()
	config = artefact(namespace, "web", runConfig("openid"))
	deployment, service = deploymentOf(config), serviceOf(config)
	for _, object := range []client.Object{config, deployment, service} {
		if err := cluster.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	config = artefact(namespace, "web", runConfig("admin"))
	put(t, cluster.Client, config)
	poll(t, "the held ConfigMap to be known", func() bool {
		next := changed(deployment, renamed)
		next.ResourceVersion = ""
		put(t, client.NewDryRunClient(cluster.Client), next)
		return !isRenamed(next) && next.Annotations[guard.Looks] == ""
	})
	return config, deployment, service
}

func put(t *testing.T, c client.Client, object client.Object) {
	t.Helper()
	if err := c.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// renamed gives the pods another environment.
func renamed(d *appsv1.Deployment) {
	d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "RENAMED", Value: "x"}}
}

func isRenamed(d *appsv1.Deployment) bool { return len(d.Spec.Template.Spec.Containers[0].Env) > 0 }

// TestLockHolds edits a ConfigMap as ToolHive's operator does, from good to bad
// and back.
func TestLockHolds(t *testing.T) {
	ns := locked(t, guard.ModeDeny)
	c, warnings := setup.Client(t, cluster)
	good, bad := artefact(ns, "web", runConfig("openid")), artefact(ns, "web", runConfig("admin"))
	if err := c.Create(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	put(t, c, bad)
	want := changed(good, func(c *corev1.ConfigMap) {
		c.Labels[guard.HeldLabel], c.Annotations[guard.HeldBecause] = "true", bad.Annotations[guard.HeldBecause]
		c.ResourceVersion, c.ManagedFields = bad.ResourceVersion, bad.ManagedFields
	})
	if diff := cmp.Diff(want, bad); diff != "" || !strings.HasPrefix(bad.Annotations[guard.HeldBecause], missingAdmin) {
		t.Errorf("%q (-want +got):\n%s", bad.Annotations[guard.HeldBecause], diff)
	}
	if len(warnings.Texts) != 1 || !strings.Contains(warnings.Texts[0], "held, so that what runs goes on as it is: "+missingAdmin) {
		t.Errorf("warnings: %q", warnings.Texts)
	}
	again := artefact(ns, "web", runConfig("admin"))
	put(t, c, again)
	if again.ResourceVersion != bad.ResourceVersion {
		t.Errorf("the second time it is written: resourceVersion %s, then %s", bad.ResourceVersion, again.ResourceVersion)
	}
	another := changed(artefact(ns, "web", runConfig("other")), func(c *corev1.ConfigMap) { c.Data["added"], c.Annotations["added"] = "x", "x" })
	put(t, c, another)
	if another.Data["added"] != "" || another.Annotations["added"] != "" || !strings.HasPrefix(another.Annotations[guard.HeldBecause], `scope "other"`) {
		t.Errorf("another bad one: %+v", another)
	}
	warnings.Texts = nil
	repaired := artefact(ns, "web", runConfig("mcp:read"))
	put(t, c, repaired)
	if diff := cmp.Diff(artefact(ns, "web", runConfig("mcp:read")).ObjectMeta.Labels, repaired.Labels); diff != "" || repaired.Annotations[guard.HeldBecause] != "" || len(warnings.Texts) > 0 ||
		repaired.Data["runconfig.json"] != runConfig("mcp:read")["runconfig.json"] {
		t.Errorf("not repaired: %+v %q", repaired, warnings.Texts)
	}
}

// TestLockKeeps edits the Deployment of a held workload as ToolHive's operator,
// an autoscaler and a user do.
func TestLockKeeps(t *testing.T) {
	ns := locked(t, guard.ModeDeny)
	config, deployment, service := held(t, ns)
	c := cluster.Client
	// The first write changes who manages the field that is not taken, and the
	// next one nothing.
	kept := changed(deployment, renamed)
	put(t, c, kept)
	if diff := cmp.Diff(deployment.Spec, kept.Spec); diff != "" || kept.Generation != deployment.Generation {
		t.Errorf("the Deployment (-before +after):\n%s", diff)
	}
	again := changed(kept, renamed)
	put(t, c, again)
	if again.ResourceVersion != kept.ResourceVersion {
		t.Errorf("the second time it is written: %+v", again)
	}
	keptService := changed(service, func(s *corev1.Service) {
		s.Spec.Ports[0].Port, s.Spec.Ports[0].TargetPort = 9090, intstr.FromInt32(9090)
	})
	put(t, c, keptService)
	if diff := cmp.Diff(service.Spec, keptService.Spec); diff != "" {
		t.Errorf("the Service (-before +after):\n%s", diff)
	}
	scaled := changed(again, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To(int32(3)); renamed(d) })
	put(t, c, scaled)
	if *scaled.Spec.Replicas != 3 || isRenamed(scaled) {
		t.Errorf("not scaled as it is: %+v", scaled.Spec)
	}
	restarted := changed(scaled, func(d *appsv1.Deployment) {
		d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] = "now"
		renamed(d)
	})
	put(t, c, restarted)
	if restarted.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] != "now" || isRenamed(restarted) {
		t.Errorf("not restarted as it is: %+v", restarted.Spec.Template)
	}
	other := changed(deployment, func(d *appsv1.Deployment) {
		d.Name, d.ResourceVersion, d.UID, d.OwnerReferences[0].UID = "other", "", "", "another"
	})
	if err := c.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	renamed(other)
	put(t, c, other)
	if !isRenamed(other) {
		t.Error("the Deployment of a workload that is not held is kept")
	}
	// A template from a later ConfigMap than the held one is let pass.
	next := changed(restarted, renamed)
	next.Spec.Template.Annotations["toolhive.stacklok.dev/runconfig-checksum"] = config.Annotations["toolhive.stacklok.dev/content-checksum"] + "-of-another"
	put(t, c, next)
	if !isRenamed(next) {
		t.Error("the Deployment of a later ConfigMap is kept")
	}
}

// TestLockLooks edits the Deployment of a workload that is not held: a template
// with the checksum of before waits, as its ConfigMap may be held since.
func TestLockLooks(t *testing.T) {
	ns := locked(t, guard.ModeDeny)
	config := artefact(ns, "web", runConfig("openid"))
	deployment := deploymentOf(config)
	for _, object := range []client.Object{config, deployment} {
		if err := cluster.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	poll(t, "the ConfigMap to be known", func() bool {
		next := changed(deployment, renamed)
		put(t, client.NewDryRunClient(cluster.Client), next)
		return !isRenamed(next)
	})
	newer := changed(deployment, renamed)
	newer.Spec.Template.Annotations["toolhive.stacklok.dev/runconfig-checksum"] = "another"
	put(t, client.NewDryRunClient(cluster.Client), newer)
	if !isRenamed(newer) {
		t.Error("the template of a new config waits")
	}
	for _, want := range []string{"1", "2", "3", ""} {
		deployment = changed(deployment, renamed)
		put(t, cluster.Client, deployment)
		if got := deployment.Annotations[guard.Looks]; got != want || isRenamed(deployment) != (want == "") {
			t.Errorf("%q looks, want %q: %+v", got, want, deployment.Spec.Template.Spec)
		}
	}
	if err := setup.SetMode(t.Context(), cluster.Client, ns, ""); err != nil {
		t.Fatal(err)
	}
	poll(t, "the mode to change", func() bool {
		next := changed(deployment, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Env = nil })
		put(t, client.NewDryRunClient(cluster.Client), next)
		return !isRenamed(next)
	})
}

// TestLockRefuses takes away the policy that keeps Deployments: the one behind it
// refuses.
func TestLockRefuses(t *testing.T) {
	ns := locked(t, guard.ModeDeny)
	_, deployment, _ := held(t, ns)
	for _, object := range guard.Lock() {
		if binding, ok := object.(*admissionv1.MutatingAdmissionPolicyBinding); ok && object.GetName() == guard.LockHoldDeployments {
			if err := cluster.Client.Delete(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				binding.ResourceVersion = ""
				if err := cluster.Client.Create(context.WithoutCancel(t.Context()), binding); err != nil {
					t.Error(err)
				}
			})
		}
	}
	poll(t, "the Deployment to be refused", func() bool {
		refusal := refusalOf(t, cluster.Client.Update(t.Context(), changed(deployment, renamed), client.DryRunAll))
		return refusal.Policy == guard.LockKeep && strings.Contains(refusal.Message, `held, as is ConfigMap "web-runconfig"`)
	})
	put(t, client.NewDryRunClient(cluster.Client), changed(deployment, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To(int32(3)) }))
}

func deploymentOf(config *corev1.ConfigMap) *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: config.Namespace, OwnerReferences: config.OwnerReferences},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{"toolhive.stacklok.dev/runconfig-checksum": config.Annotations["toolhive.stacklok.dev/content-checksum"]}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "toolhive", Image: "x", Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}}},
			},
		},
	}
}

func serviceOf(config *corev1.ConfigMap) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: config.Namespace, OwnerReferences: config.OwnerReferences},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 8080, TargetPort: intstr.FromInt32(8080)}}},
	}
}
