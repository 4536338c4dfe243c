package controller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
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

// awaitBaselines waits until the ReplicaSets of a consumer, old and new, carry the
// baselines in want.
func awaitBaselines(t testing.TB, object client.Object, want ...string) {
	t.Helper()
	var got []string
	expect.Eventually(t, fmt.Sprintf("the baselines of the ReplicaSets are %q", want), func(ctx context.Context) (bool, error) {
		list := &appsv1.ReplicaSetList{}
		selector := client.MatchingLabels{"app.kubernetes.io/instance": childKey(object).Name}
		if err := cluster.Client.List(ctx, list, client.InNamespace(object.GetNamespace()), selector); err != nil {
			return false, err
		}
		got = nil
		for _, set := range list.Items {
			var config struct {
				Baseline []string `json:"baseline_client_scopes"`
			}
			if err := json.Unmarshal([]byte(set.Spec.Template.Annotations[rollout.RunConfigAnnotation]), &config); err != nil {
				return false, err
			}
			got = append(got, strings.Join(config.Baseline, " "))
		}
		slices.Sort(got)
		return slices.Equal(want, got), nil
	}, func() string { return strings.Join(got, "; ") })
}

// TestInvalidNeverRolls tests the gate on each kind. For a new consumer with an
// invalid baseline, nothing is made, and the repair rolls out with no other
// nudge. An invalid edit changes nothing that runs. The next repair rolls out a
// new ReplicaSet, and the old one keeps its own run config.
func TestInvalidNeverRolls(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "admin")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	proxy := sample.Proxy(namespace, "web", sample.ExternalAuthConfigRef("shared"))
	virtual := sample.Virtual(namespace, "web", sample.AuthServer("admin"))
	consumers := []kinds.Object{server, proxy, virtual}
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), config, server, proxy, virtual)
	setBaseline := func(want verdict, baseline ...string) {
		t.Helper()
		testenv.Edit(t, cluster, config, func(c *v1beta1.MCPExternalAuthConfig) { c.Spec.EmbeddedAuthServer.BaselineClientScopes = baseline })
		testenv.Edit(t, cluster, virtual, func(v *v1beta1.VirtualMCPServer) { v.Spec.AuthServerConfig.BaselineClientScopes = baseline })
		for _, consumer := range consumers {
			awaitVerdict(t, consumer, want)
		}
	}
	for _, consumer := range consumers {
		awaitVerdict(t, consumer, notSupported)
		noChildren(t, consumer)
	}

	setBaseline(rolling, "openid")
	before := map[kinds.Object][]string{}
	for _, consumer := range consumers {
		before[consumer] = fingerprint(t, consumer)
		awaitBaselines(t, consumer, "openid")
	}

	setBaseline(notSupported, "openid", "admin")
	for _, consumer := range consumers {
		expect.Equal(t, "the invalid baseline changed what runs", before[consumer], fingerprint(t, consumer))
	}

	setBaseline(rolling, "openid", "email")
	for _, consumer := range consumers {
		awaitBaselines(t, consumer, "openid", "openid email")
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
