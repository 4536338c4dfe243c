package controller_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

func baselineOf(t testing.TB, template corev1.PodTemplateSpec) []string {
	t.Helper()
	var config struct {
		Baseline []string `json:"baseline_client_scopes"`
	}
	if err := json.Unmarshal([]byte(template.Annotations[rollout.RunConfigAnnotation]), &config); err != nil {
		t.Fatalf("reading a run config: %v", err)
	}
	return config.Baseline
}

// awaitBaselines waits until the ReplicaSets of a consumer, old and new, carry
// the baselines in want, in any order.
func awaitBaselines(t testing.TB, object client.Object, want ...string) {
	t.Helper()
	var got []string
	testenv.Await(t, cluster.Client, deploymentOf(object), "is observed", func(d *appsv1.Deployment) bool {
		return d.Status.ObservedGeneration == d.Generation
	})
	list := &appsv1.ReplicaSetList{}
	selector := client.MatchingLabels{"app.kubernetes.io/instance": childKey(object).Name}
	expect.NoError(t, cluster.Client.List(t.Context(), list, client.InNamespace(object.GetNamespace()), selector))
	for _, set := range list.Items {
		got = append(got, strings.Join(baselineOf(t, set.Spec.Template), " "))
	}
	slices.Sort(got)
	slices.Sort(want)
	expect.Equal(t, "the baselines of the ReplicaSets", want, got)
}

// fingerprint returns the Deployment and the Service of a consumer with their
// resourceVersions, and the ReplicaSets with their generations, after
// kube-controller-manager has settled. An equal fingerprint means that
// scopegate wrote nothing.
func fingerprint(t testing.TB, object client.Object) []string {
	t.Helper()
	deployment := testenv.Await(t, cluster.Client, deploymentOf(object), "is settled", func(d *appsv1.Deployment) bool {
		return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == 1 && len(d.Status.Conditions) == 2
	})
	service := serviceOf(object)
	cluster.Get(t, service)
	return append(children(t, object, &appsv1.ReplicaSetList{}),
		"deployment "+deployment.ResourceVersion, "service "+service.ResourceVersion)
}

// consumers returns a function for each kind, which takes a baseline and
// returns a consumer, its configs, and an edit that sets the baseline.
func consumers(namespace string) map[string]func(baseline ...string) (kinds.Object, []client.Object, func(testing.TB, ...string)) {
	byReference := func(object kinds.Object) func(...string) (kinds.Object, []client.Object, func(testing.TB, ...string)) {
		return func(baseline ...string) (kinds.Object, []client.Object, func(testing.TB, ...string)) {
			config := sample.Config(namespace, "shared", baseline...)
			return object, []client.Object{config}, func(t testing.TB, baseline ...string) {
				testenv.Edit(t, cluster, config, func(c *v1beta1.MCPExternalAuthConfig) { c.Spec.EmbeddedAuthServer.BaselineClientScopes = baseline })
			}
		}
	}
	return map[string]func(...string) (kinds.Object, []client.Object, func(testing.TB, ...string)){
		"MCPServer":      byReference(sample.Server(namespace, "web", sample.AuthServerRef("shared"))),
		"MCPRemoteProxy": byReference(sample.Proxy(namespace, "web", sample.ExternalAuthConfigRef("shared"))),
		"VirtualMCPServer": func(baseline ...string) (kinds.Object, []client.Object, func(testing.TB, ...string)) { //nolint:unparam // The others have one.
			virtual := sample.Virtual(namespace, "web", sample.AuthServer(baseline...))
			return virtual, nil, func(t testing.TB, baseline ...string) {
				testenv.Edit(t, cluster, virtual, func(v *v1beta1.VirtualMCPServer) { v.Spec.AuthServerConfig.BaselineClientScopes = baseline })
			}
		},
	}
}

// TestInvalidNeverRolls tests the gate on each kind. For a new consumer with an
// invalid baseline, nothing is made, and the repair rolls out with no other
// nudge. An invalid edit changes nothing that runs. The next repair rolls out a
// new ReplicaSet, and the old one keeps its own run config.
func TestInvalidNeverRolls(t *testing.T) {
	t.Parallel()
	for kind := range consumers("") {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			namespace := cluster.Namespace(t)
			consumer, others, setBaseline := consumers(namespace)[kind]("admin")
			cluster.Create(t, sample.OIDCConfig(namespace, "oidc"))
			cluster.Create(t, others...)
			cluster.Create(t, consumer)
			awaitVerdict(t, consumer, notSupported)
			noChildren(t, consumer)

			setBaseline(t, "openid")
			awaitVerdict(t, consumer, rolling)
			before := fingerprint(t, consumer)
			awaitBaselines(t, consumer, "openid")

			setBaseline(t, "openid", "admin")
			awaitVerdict(t, consumer, notSupported)
			expect.Equal(t, "the invalid baseline changed what runs", before, fingerprint(t, consumer))

			setBaseline(t, "openid", "email")
			awaitVerdict(t, consumer, rolling)
			testenv.Await(t, cluster.Client, deploymentOf(consumer), "has the repaired run config", func(d *appsv1.Deployment) bool {
				return slices.Equal(baselineOf(t, d.Spec.Template), []string{"openid", "email"})
			})
			fingerprint(t, consumer)
			awaitBaselines(t, consumer, "openid", "openid email")
		})
	}
}

// TestChildrenAreDeletedWithTheReference checks that a consumer loses its children only by
// an edit of its own references, and never by a change of its config.
func TestChildrenAreDeletedWithTheReference(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	proxy := sample.Proxy(namespace, "web", sample.ExternalAuthConfigRef("shared"))
	virtual := sample.Virtual(namespace, "web", sample.AuthServer("openid"))
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), config, server, proxy, virtual)
	before := map[client.Object][]string{}
	for _, consumer := range []kinds.Object{server, proxy, virtual} {
		awaitVerdict(t, consumer, rolling)
		before[consumer] = fingerprint(t, consumer)
	}
	unchanged := func(what string, consumers ...kinds.Object) {
		t.Helper()
		for _, consumer := range consumers {
			if diff := cmp.Diff(before[consumer], fingerprint(t, consumer)); diff != "" {
				t.Errorf("%s cost %T its children (-before +after):\n%s", what, consumer, diff)
			}
		}
	}

	testenv.Edit(t, cluster, config, func(c *v1beta1.MCPExternalAuthConfig) {
		c.Spec = v1alpha1.MCPExternalAuthConfigSpec{Type: "unauthenticated"}
	})
	awaitVerdict(t, server, held(isNotResolved, "InvalidAuthServerRef"))
	awaitVerdict(t, proxy, verdict{})
	unchanged("another type of the config", server, proxy)

	cluster.Delete(t, config)
	awaitVerdict(t, server, waiting(isNotResolved, "ConfigNotFound"))
	awaitVerdict(t, proxy, waiting(isNotResolved, "ConfigNotFound"))
	unchanged("the config's deletion", server, proxy)

	testenv.Edit(t, cluster, virtual, func(v *v1beta1.VirtualMCPServer) { v.Spec.IncomingAuth.Type = v1alpha1.IncomingAuthTypeAnonymous })
	awaitVerdict(t, virtual, held(isNotResolved, "OIDCConfigRequired"))
	unchanged("an anonymous edit", virtual)

	testenv.Edit(t, cluster, server, func(s *v1beta1.MCPServer) { s.Spec.AuthServerRef = nil })
	testenv.Edit(t, cluster, proxy, func(p *v1beta1.MCPRemoteProxy) { p.Spec.ExternalAuthConfigRef = nil })
	testenv.Edit(t, cluster, virtual, func(v *v1beta1.VirtualMCPServer) { v.Spec.AuthServerConfig = nil })
	for _, consumer := range []kinds.Object{server, proxy, virtual} {
		awaitVerdict(t, consumer, verdict{})
		testenv.AwaitGone(t, cluster.Client, deploymentOf(consumer))
		testenv.AwaitGone(t, cluster.Client, serviceOf(consumer))
	}
}

// TestDeletionCollectsTheChildren leaves the children to garbage collection.
func TestDeletionCollectsTheChildren(t *testing.T) {
	t.Parallel()
	server := rollingServer(t)
	deployment, service := deploymentOf(server), serviceOf(server)
	fingerprint(t, server)
	cluster.Delete(t, server)
	testenv.AwaitGone(t, cluster.Client, deployment)
	testenv.AwaitGone(t, cluster.Client, service)
}

// TestForeignObjectsAreLeftAlone puts somebody else's object where a child would
// be: it is not touched, nothing else is made, and its deletion wakes the
// consumer.
func TestForeignObjectsAreLeftAlone(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"app": "theirs"}
	for name, foreign := range map[string]func(client.Object) client.Object{
		"Service": func(consumer client.Object) client.Object {
			return &corev1.Service{ObjectMeta: childKey(consumer), Spec: corev1.ServiceSpec{
				Selector: labels, Ports: []corev1.ServicePort{{Port: 80}},
			}}
		},
		"Deployment": func(consumer client.Object) client.Object {
			child := childKey(consumer)
			return sample.Deployment(child.Namespace, child.Name, labels)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := cluster.Namespace(t)
			server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
			theirs, another := foreign(server), deploymentOf(rollingServer(t))
			cluster.Create(t, theirs, sample.OIDCConfig(namespace, "oidc"), sample.Config(namespace, "shared"))
			mendImage(t, another) // From here on, the manager's cache has theirs too.
			cluster.Create(t, server)
			awaitVerdict(t, server, waiting(isSupported, "NameConflict"))

			after := theirs.DeepCopyObject().(client.Object)
			expect.NoError(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(theirs), after))
			for _, entry := range after.GetManagedFields() {
				if entry.Manager == status.FieldManager {
					t.Errorf("scopegate wrote %s: %+v", name, entry)
				}
			}
			if after.GetGeneration() != theirs.GetGeneration() || after.GetUID() != theirs.GetUID() {
				t.Errorf("%s changed from generation %d to %d", name, theirs.GetGeneration(), after.GetGeneration())
			}
			made := len(children(t, server, &appsv1.DeploymentList{})) + len(children(t, server, &corev1.ServiceList{}))
			if made != 0 {
				t.Errorf("%d children were made beside the conflict", made)
			}
			cluster.Delete(t, theirs)
			awaitVerdict(t, server, rolling)
		})
	}
}

// TestAwkwardNames rolls out consumers whose names no Service could have.
func TestAwkwardNames(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), sample.Config(namespace, "shared"))
	seen := map[string]bool{}
	for _, name := range []string{"web.v1.example", "0day", "web-v1.example", strings.Repeat("a", 253), strings.Repeat("a.", 126) + "b"} {
		server, proxy := sample.Server(namespace, name, sample.AuthServerRef("shared")), sample.Proxy(namespace, name, sample.AuthServerRef("shared"))
		virtual := sample.Virtual(namespace, name, sample.AuthServer())
		cluster.Create(t, server, proxy, virtual)
		for _, consumer := range []kinds.Object{server, proxy, virtual} {
			awaitVerdict(t, consumer, rolling)
			seen[fingerprint(t, consumer)[0]] = true
		}
	}
	if len(seen) != 15 {
		t.Errorf("15 consumers have %d ReplicaSets", len(seen))
	}
}

// TestRolledOutIsReady plays the kubelet's part in the status of a Deployment.
func TestRolledOutIsReady(t *testing.T) {
	t.Parallel()
	server := rollingServer(t)
	pods := &corev1.PodList{}
	fingerprint(t, server)
	if err := cluster.Client.List(t.Context(), pods, client.InNamespace(server.Namespace)); err != nil || len(pods.Items) != 1 {
		t.Fatalf("got %d pods (%v), want 1", len(pods.Items), err)
	}
	pod := &pods.Items[0]
	before := pod.DeepCopy()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
	expect.NoError(t, cluster.Client.Status().Patch(t.Context(), pod, client.MergeFrom(before)))
	awaitVerdict(t, server, verdict{Valid: isSupported, Ready: "True RolledOut"})
}

// TestRBACForbidsWhatIsNotNeeded checks that the manager has no right to change
// what users write, or to read a Secret.
func TestRBACForbidsWhatIsNotNeeded(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	server := sample.Server(namespace, "web", v1alpha1.AuthReferences{})
	cluster.Create(t, server)
	manager, err := client.New(cluster.ManagerConfig(), client.Options{Scheme: cluster.Client.Scheme()})
	expect.NoError(t, err)
	for what, act := range map[string]func() error{
		"read Secrets":          func() error { return manager.List(t.Context(), &corev1.SecretList{}) },
		"read ConfigMaps":       func() error { return manager.List(t.Context(), &corev1.ConfigMapList{}) },
		"read Pods":             func() error { return manager.List(t.Context(), &corev1.PodList{}) },
		"update a spec":         func() error { return manager.Update(t.Context(), server) },
		"delete a consumer":     func() error { return manager.Delete(t.Context(), server) },
		"update a whole status": func() error { return manager.Status().Update(t.Context(), server) },
	} {
		if err := act(); !apierrors.IsForbidden(err) {
			t.Errorf("the manager may %s: %v", what, err)
		}
	}
}

// TestADeletedConsumerRollsNothing edits the config of a deleted consumer that a
// finalizer keeps. Its children must stay as they are.
func TestADeletedConsumerRollsNothing(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	server.Finalizers = []string{"example.com/keeps"}
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), config, server)
	awaitVerdict(t, server, rolling)
	before := fingerprint(t, server)

	cluster.Delete(t, server)
	for _, step := range []struct {
		scope string
		want  metav1.ConditionStatus
	}{{"admin", metav1.ConditionFalse}, {"profile", metav1.ConditionTrue}} {
		testenv.Edit(t, cluster, config, func(c *v1beta1.MCPExternalAuthConfig) {
			c.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{step.scope}
		})
		// The status is written after the rollout.
		server = testenv.Await(t, cluster.Client, server, "is evaluated", func(s *v1beta1.MCPServer) bool {
			return s.DeletionTimestamp != nil && testenv.Valid(s).Status == step.want
		})
	}
	expect.Equal(t, "the children", before, fingerprint(t, server))
	testenv.Edit(t, cluster, server, func(s *v1beta1.MCPServer) { s.Finalizers = nil })
}
