package controller_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testenv"
)

// TestDriftIsMended undoes what somebody else changes of a child, and keeps
// what they add.
func TestDriftIsMended(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	server := testenv.Server(namespace, "web", testenv.AuthServerRef("shared"))
	create(t, testenv.OIDCConfig(namespace, "oidc"), testenv.Config(namespace, "shared"), server)
	awaitVerdict(t, server, rolling)
	fingerprint(t, server)
	deployment := deploymentOf(server)
	if err := cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(deployment), deployment); err != nil {
		t.Fatal(err)
	}
	edit(t, deployment, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].Image = "somebody:else"
		d.Spec.Replicas = new(int32)
	})
	mended := testenv.Await(t, cluster.Client, deployment, "has its image back", func(d *appsv1.Deployment) bool {
		return d.Spec.Template.Spec.Containers[0].Image == testenv.AuthServerImage
	})
	if *mended.Spec.Replicas != 0 {
		t.Errorf("replicas, which scopegate leaves to others, went from 0 to %d", *mended.Spec.Replicas)
	}

	remove(t, deployment)
	testenv.Await(t, cluster.Client, deploymentOf(server), "is made anew", func(d *appsv1.Deployment) bool { return d.UID != deployment.UID })

	service := serviceOf(server)
	if err := cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
		t.Fatal(err)
	}
	rendered := service.Spec.DeepCopy()
	edit(t, service, func(s *corev1.Service) {
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

	remove(t, service)
	testenv.Await(t, cluster.Client, serviceOf(server), "is made anew", func(s *corev1.Service) bool { return s.UID != service.UID })
}

// TestWhatGoesFromTheConfigGoesFromThePod removes a secret from the config: the
// pod must not keep the variable that Create once set.
func TestWhatGoesFromTheConfigGoesFromThePod(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	config := testenv.Config(namespace, "shared")
	secret := &v1alpha1.SecretKeyRef{Name: "s", Key: "k"}
	config.Spec.EmbeddedAuthServer.UpstreamProviders[0].OIDCConfig.ClientSecretRef = secret
	config.Spec.EmbeddedAuthServer.HMACSecretRefs = []v1alpha1.SecretKeyRef{*secret}
	server := testenv.Server(namespace, "web", testenv.AuthServerRef("shared"))
	create(t, testenv.OIDCConfig(namespace, "oidc"), config, server)
	parts := func(d *appsv1.Deployment) [2]int {
		return [2]int{len(d.Spec.Template.Spec.Containers[0].Env), len(d.Spec.Template.Spec.Volumes)}
	}
	testenv.Await(t, cluster.Client, deploymentOf(server), "has the secrets", func(d *appsv1.Deployment) bool { return parts(d) == [2]int{1, 2} })
	edit(t, config, func(c *v1beta1.MCPExternalAuthConfig) {
		c.Spec.EmbeddedAuthServer.UpstreamProviders[0].OIDCConfig.ClientSecretRef = nil
		c.Spec.EmbeddedAuthServer.HMACSecretRefs = nil
	})
	testenv.Await(t, cluster.Client, deploymentOf(server), "has no secret", func(d *appsv1.Deployment) bool { return parts(d) == [2]int{0, 1} })
}
