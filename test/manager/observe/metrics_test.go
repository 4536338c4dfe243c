package observe_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// scraper trusts any certificate: the manager signs its own.
var scraper = &http.Client{Transport: &http.Transport{
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // See above; the test is about who may read.
}}

// scrape asks for the metrics with a token, or with none if it is empty.
func scrape(ctx context.Context, address, token string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/metrics", http.NoBody)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := scraper.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

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
			err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
				var err error
				status, body, err = scrape(ctx, address, tc.token)
				// It does not listen yet, or the API server does not know the binding yet.
				return err == nil && (status == tc.want || tc.want != http.StatusOK), nil
			})
			if err != nil || status != tc.want {
				t.Fatalf("got %d (%v), want %d: %s", status, err, tc.want, body)
			}
			if shown := strings.Contains(body, "scopegate_rollouts_held"); shown != (tc.want == http.StatusOK) {
				t.Errorf("metrics shown: %t; %s", shown, body)
			}
		})
	}
	plain := http.Client{Timeout: 5 * time.Second}
	response, err := plain.Get("http://" + address + "/metrics")
	if err != nil {
		return
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		t.Error("metrics are served over plain HTTP")
	}
}
