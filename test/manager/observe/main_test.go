// Package observe_test observes the built manager as administrators do: its
// log, its events by kubectl, `kubectl wait` on its conditions, and its metrics
// over HTTPS.
package observe_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) { testenv.Main(m, &cluster, controlplane.Options{}) }

// kubectlWait runs `kubectl wait` for the condition of an MCPServer.
func kubectlWait(ctx context.Context, namespace, status, timeout string) (string, error) {
	stdout, stderr, err := cluster.Kubectl(ctx, nil, "wait", "mcpserver/web", "--namespace", namespace,
		"--for=condition=BaselineScopesValid="+status, "--timeout="+timeout)
	return stdout + stderr, err
}

// TestKubectlWait waits for the condition of a new object, which has none yet,
// and after an edit that nobody has evaluated yet.
func TestKubectlWait(t *testing.T) {
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	cluster.Create(t, config, server)
	if output, err := kubectlWait(t.Context(), namespace, "True", "1s"); err == nil || !strings.Contains(output, "timed out") {
		t.Fatalf("with no manager: got %v, want a timeout: %s", err, output)
	}
	waited := make(chan string, 1)
	go func() {
		output, err := kubectlWait(t.Context(), namespace, "True", "120s")
		if err != nil {
			output = err.Error() + ": " + output
		}
		waited <- output
	}()
	first := cluster.StartStandalone(t, nil)
	if output := <-waited; !strings.Contains(output, "condition met") {
		t.Fatalf("waiting from the creation: %s", output)
	}
	expect.NoError(t, first.Stop())

	// The condition is still True, but of the previous generation.
	testenv.Edit(t, cluster, server, func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef.Scopes = []string{"email"} })
	if output, err := kubectlWait(t.Context(), namespace, "True", "1s"); err == nil || !strings.Contains(output, "timed out") {
		t.Errorf("with a condition of an older generation: got %v, want a timeout: %s", err, output)
	}
	cluster.StartStandalone(t, nil)
	if output, err := kubectlWait(t.Context(), namespace, "False", "120s"); err != nil {
		t.Errorf("waiting for the verdict on the edit: %v: %s", err, output)
	}
}

// TestKubectlEvents reads an event as a user does.
func TestKubectlEvents(t *testing.T) {
	namespace := cluster.Namespace(t)
	cluster.StartStandalone(t, nil)
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	cluster.Create(t, sample.Config(namespace, "shared", "admin"), server)
	testenv.AwaitValid(t, cluster, server, "False")
	want := []string{"Warning", "BaselineScopeNotSupported", "MCPServer/web", `scope "admin" is not supported by the auth server`}
	var output string
	expect.Eventually(t, "kubectl events shows it", func(ctx context.Context) (bool, error) {
		stdout, stderr, err := cluster.Kubectl(ctx, nil, "events", "--namespace", namespace, "--for", "mcpserver/web")
		output = stdout + stderr
		return err == nil && !slices.ContainsFunc(want, func(word string) bool { return !strings.Contains(stdout, word) }), nil
	}, func() string { return output })
}

func bind(t *testing.T, role, namespace, account string) {
	t.Helper()
	cluster.Create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}},
	})
}

// TestMetricsAreForThoseWithTheRight runs the manager as its service account,
// and requests its metrics with and without the right to read them.
func TestMetricsAreForThoseWithTheRight(t *testing.T) {
	namespace := cluster.Namespace(t)
	cluster.Create(t,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "prometheus"}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "nobody"}})
	bind(t, "scopegate-metrics-reader", namespace, "prometheus")

	address := testenv.FreeAddress(t)
	testenv.StartProcess(t, testenv.BuildManager(t), "--standalone", "--kubeconfig", cluster.KubeconfigOf(t, controlplane.Namespace, "scopegate"),
		"--metrics-bind-address", address, "--metrics-secure", "--health-probe-bind-address", "0")
	token := func(account string) string {
		token, err := cluster.Token(t.Context(), namespace, account)
		expect.NoError(t, err)
		return token
	}
	for name, tc := range map[string]struct {
		token string
		want  int
	}{
		"no token": {"", http.StatusUnauthorized},
		// controller-runtime's filter answers any error with 500, not with 401.
		"a token that is not one":   {"nonsense", http.StatusInternalServerError},
		"a token without the right": {token("nobody"), http.StatusForbidden},
		"a token with the right":    {token("prometheus"), http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			var status int
			var body string
			expect.Eventually(t, "it answers", func(ctx context.Context) (bool, error) {
				var err error
				status, body, err = testenv.Fetch(ctx, "https://"+address+"/metrics", tc.token)
				// It does not listen yet, or the API server does not know the binding yet.
				return err == nil && (status == tc.want || tc.want != http.StatusOK), nil
			})
			if status != tc.want {
				t.Fatalf("got %d, want %d: %s", status, tc.want, body)
			}
			if shown := strings.Contains(body, "scopegate_rollouts_held"); shown != (tc.want == http.StatusOK) {
				t.Errorf("metrics shown: %t; %s", shown, body)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if status, _, _ := testenv.Fetch(ctx, "http://"+address+"/metrics", ""); status == http.StatusOK {
		t.Error("metrics are served over plain HTTP")
	}
}
