package manager_test

import (
	"context"
	"slices"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// awaitAnswer waits until the manager repairs the condition of an object, and reports
// whether it stands down instead.
func awaitAnswer(t *testing.T, config *v1beta1.MCPExternalAuthConfig) (stoodDown bool) {
	t.Helper()
	expect.Eventually(t, "the condition is repaired or left alone", func(ctx context.Context) (bool, error) {
		events := &eventsv1.EventList{}
		if err := cluster.Client.List(ctx, events, client.InNamespace(config.Namespace)); err != nil {
			return false, err
		}
		stoodDown = slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool {
			return e.Regarding.Name == config.Name && e.Reason == "GuardStoodDown"
		})
		now := &v1beta1.MCPExternalAuthConfig{}
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(config), now)
		return stoodDown || testenv.Valid(now).Reason == v1alpha1.ReasonBaselineScopeNotSupported, err
	})
	return stoodDown
}

// TestStandsDown lets somebody else write the condition of one object: with a reason
// that scopegate does not have, or the same again and again. The manager leaves that
// object alone, and no other, until it is edited.
func TestStandsDown(t *testing.T) {
	for name, other := range map[string]struct {
		condition metav1.Condition
		first     bool
	}{
		"another reason":                 {condition: condition("BaselineScopesValid", "AllGood")},
		"another reason, which is first": {condition: condition("BaselineScopesValid", "AllGood"), first: true},
		"again and again":                {condition: condition("BaselineScopesValid", "BaselineScopesSupported")},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := cluster.Namespace(t)
			config, neighbour := testenv.Config(namespace, "shared", "admin"), testenv.Config(namespace, "neighbour", "admin")
			cluster.Create(t, config, neighbour, testenv.Server(namespace, "web", testenv.AuthServerRef("shared", "openid")))
			if other.first {
				writeAll(t, config, other.condition)
			}
			cluster.StartGuard(t)
			testenv.AwaitValid(t, cluster, config, notSupported)
			for stoodDown := false; !stoodDown; {
				writeAll(t, config, other.condition)
				stoodDown = awaitAnswer(t, config)
			}

			// Another object of the kind is still written, and after it nothing more came.
			neighbour.Spec.EmbeddedAuthServer.BaselineClientScopes = nil
			cluster.Patch(t, neighbour, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":null}}}`)
			testenv.AwaitValid(t, cluster, neighbour, "True BaselineScopesSupported")
			await(t, config, "is left alone", func(c metav1.Condition) bool { return c.Message == other.condition.Message })

			cluster.Patch(t, config, `{"spec":{"embeddedAuthServer":{"issuer":"https://other.example.com"}}}`)
			testenv.AwaitValid(t, cluster, config, notSupported)
		})
	}
}
