package observe_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// bind gives a service account of a namespace a cluster role.
func bind(t *testing.T, role, namespace, account string) {
	t.Helper()
	cluster.Create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}},
	})
}

// TestMetricsAreForThoseWithTheRight runs the manager as its service account and
// asks for its metrics in the three ways in which that can end.
func TestMetricsAreForThoseWithTheRight(t *testing.T) {
	namespace := cluster.Namespace(t)
	create(t,
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
		// Not 401: so controller-runtime's filter answers any error.
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
