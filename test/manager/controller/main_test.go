// Package controller_test runs the controllers against a real API server, under
// scopegate's own RBAC.
package controller_test

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) {
	testenv.MainWithManager(m, &cluster, controlplane.Options{Controllers: controlplane.Workloads})
}

// verdict is what the tests compare of a status: "STATUS Reason" of each
// condition, empty where it is absent.
type verdict struct {
	Valid, Ready, Stalled string
}

func verdictOf(object kinds.Object) verdict {
	say := func(conditionType string) string {
		condition := testenv.Condition(object.GetStatus().Conditions, conditionType)
		if condition.Type == "" {
			return ""
		}
		return fmt.Sprintf("%s %s", condition.Status, condition.Reason)
	}
	return verdict{Valid: say("BaselineScopesValid"), Ready: say("Ready"), Stalled: say("Stalled")}
}

// held returns the verdict on a consumer whose rollout only a user can repair.
func held(valid, reason string) verdict {
	return verdict{Valid: valid, Ready: "False " + reason, Stalled: "True " + reason}
}

// waiting returns the verdict on a consumer that waits for an object.
func waiting(valid, reason string) verdict {
	return verdict{Valid: valid, Ready: "False " + reason}
}

const (
	isSupported    = "True BaselineScopesSupported"
	isNotSupported = "False BaselineScopeNotSupported"
	isNotResolved  = "Unknown ScopesNotResolved"
)

// rolling is the verdict on a consumer whose auth server rolls. There is no
// kubelet here, so it is never rolled out.
var rolling = verdict{Valid: isSupported, Ready: "False RollingOut"}

// awaitVerdict waits until the status says want, for the object's latest
// generation, and returns the object.
func awaitVerdict[T kinds.Object](t testing.TB, object T, want verdict) T {
	t.Helper()
	return testenv.Await(t, cluster.Client, object, fmt.Sprintf("says %+v", want), func(seen T) bool {
		current := seen.GetStatus()
		for _, condition := range current.Conditions {
			if condition.ObservedGeneration != seen.GetGeneration() {
				return false
			}
		}
		return current.ObservedGeneration == seen.GetGeneration() && verdictOf(seen) == want
	})
}

func childKey(object client.Object) metav1.ObjectMeta {
	consumer, _ := resolve.ConsumerOf(object)
	return metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: rollout.ChildName(consumer)}
}

func deploymentOf(object client.Object) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: childKey(object)}
}

func serviceOf(object client.Object) *corev1.Service {
	return &corev1.Service{ObjectMeta: childKey(object)}
}

func noChildren(t testing.TB, object client.Object) {
	t.Helper()
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.ServiceList{}, &appsv1.ReplicaSetList{}} {
		for _, child := range children(t, object, list) {
			t.Errorf("%s has %s", object.GetName(), child)
		}
	}
}

// children returns the objects of a kind that belong to a consumer, with their
// UIDs and generations.
func children(t testing.TB, object client.Object, list client.ObjectList) []string {
	t.Helper()
	selector := client.MatchingLabels{"app.kubernetes.io/instance": childKey(object).Name}
	expect.NoError(t, cluster.Client.List(t.Context(), list, client.InNamespace(object.GetNamespace()), selector))
	var found []string
	expect.NoError(t, meta.EachListItem(list, func(item runtime.Object) error {
		child := item.(client.Object)
		found = append(found, fmt.Sprintf("%T %s uid %s generation %d", child, child.GetName(), child.GetUID(), child.GetGeneration()))
		return nil
	}))
	return found
}

// rollingServer makes an MCPServer whose auth server rolls.
func rollingServer(t testing.TB) *v1beta1.MCPServer {
	t.Helper()
	namespace := cluster.Namespace(t)
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), sample.Config(namespace, "shared"), server)
	return awaitVerdict(t, server, rolling)
}
