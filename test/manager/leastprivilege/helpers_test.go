package leastprivilege_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// createAll makes one of each kind, whose baseline is not supported.
func createAll(t *testing.T, i *installed, namespace string) {
	t.Helper()
	i.Create(t, testenv.OIDCConfig(namespace, "oidc"), testenv.Config(namespace, "shared", "admin"))
	i.Create(t, testenv.Server(namespace, "web", testenv.AuthServerRef("shared", "openid", "profile")),
		testenv.Proxy(namespace, "remote", testenv.AuthServerRef("shared", "openid", "profile")))
	i.Create(t, testenv.Virtual(namespace, "virtual", testenv.AuthServer("admin")))
}

// awaitEvaluated waits until all kinds have their condition, and an event reports it.
func awaitEvaluated(t *testing.T, i *installed, namespace string) {
	t.Helper()
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	testenv.AwaitValid(t, i.Cluster, &v1beta1.MCPExternalAuthConfig{ObjectMeta: meta("shared")}, "False")
	testenv.AwaitValid(t, i.Cluster, &v1beta1.MCPServer{ObjectMeta: meta("web")}, "False")
	testenv.AwaitValid(t, i.Cluster, &v1beta1.MCPRemoteProxy{ObjectMeta: meta("remote")}, "False")
	testenv.AwaitValid(t, i.Cluster, &v1beta1.VirtualMCPServer{ObjectMeta: meta("virtual")}, "False")
	awaitEvent(t, i, namespace, "BaselineScopeNotSupported")
}

// reconsider makes a server whose baseline is not supported, and waits until it is
// evaluated: the manager that was started anew is at work.
func reconsider(t *testing.T, i *installed, namespace string) {
	t.Helper()
	i.Create(t, testenv.Config(namespace, "another", "admin"), testenv.Server(namespace, "another", testenv.AuthServerRef("another", "openid")))
	testenv.AwaitValid(t, i.Cluster, &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "another"}}, "False")
}

// isNotEvaluated is of a namespace that is not watched.
func isNotEvaluated(t *testing.T, i *installed, namespace string) {
	t.Helper()
	server := &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}}
	i.Get(t, server)
	if len(server.Status.Conditions) > 0 {
		t.Errorf("MCPServer %s/web, whose namespace is not watched, has %v", namespace, server.Status.Conditions)
	}
}

// awaitEvent waits for an event with a reason.
func awaitEvent(t *testing.T, i *installed, namespace, reason string) {
	t.Helper()
	awaitEvents(t, i, namespace, reason, func(*eventsv1.Event) bool { return true })
}

func awaitEvents(t *testing.T, i *installed, namespace, reason string, ok func(*eventsv1.Event) bool) {
	t.Helper()
	expect.Eventually(t, "there is an event "+reason+" in "+namespace, func(ctx context.Context) (bool, error) {
		list := &eventsv1.EventList{}
		if err := i.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return false, err
		}
		for _, event := range list.Items {
			if event.Reason == reason && ok(&event) {
				return true, nil
			}
		}
		return false, nil
	})
}

// scraper makes a ServiceAccount that may read the metrics by the shipped role.
func scraper(t *testing.T, i *installed, role string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", GenerateName: "prometheus-"}}
	i.Create(t, account)
	if role != "" {
		i.Create(t, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "prometheus-"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}},
		})
	}
	token, err := i.Token(t.Context(), account.Namespace, account.Name)
	expect.NoError(t, err)
	return token
}

// scrapeMetrics holds that the metrics are for those who may read them.
func scrapeMetrics(t *testing.T, i *installed, manager *process) {
	t.Helper()
	allowed := scraper(t, i, "scopegate-metrics-reader")
	expect.Eventually(t, "the API server knows the binding", func(context.Context) (bool, error) {
		return manager.scrape(t, allowed) == http.StatusOK, nil
	})
	if got := manager.scrape(t, scraper(t, i, "")); got != http.StatusForbidden {
		t.Errorf("somebody without the role gets %d, want 403", got)
	}
	if got := manager.scrape(t, ""); got != http.StatusUnauthorized {
		t.Errorf("somebody without a token gets %d, want 401", got)
	}
	i.scraper = allowed
}

// awaitEffective waits until the metric of a policy is 0 or 1.
func awaitEffective(t *testing.T, i *installed, manager *process, policy, want string) {
	t.Helper()
	line := fmt.Sprintf("scopegate_guard_ineffective{policy=%q} %s\n", policy, want)
	expect.Eventually(t, "the manager says "+line, func(ctx context.Context) (bool, error) {
		_, text, err := testenv.Fetch(ctx, "https://"+manager.metrics+"/metrics", i.scraper)
		return strings.Contains(text, line), err
	})
}

// unbind takes the bindings of a policy away.
func unbind(t *testing.T, i *installed, name string) {
	t.Helper()
	for _, mode := range []string{"default", "deny", "warn"} {
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name + "-" + mode}}
		i.Delete(t, binding)
	}
}

// disable lets a policy accept everything, as somebody with the right may.
func disable(t *testing.T, i *installed, name string) {
	t.Helper()
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	edit(t, i, policy, func() {
		for j := range policy.Spec.Validations {
			policy.Spec.Validations[j].Expression = "true"
		}
	})
}
