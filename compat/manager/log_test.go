package manager_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// newer answers that the API server has an untested version.
type newer struct{ http.RoundTripper }

func (n newer) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Path != "/version" {
		return n.RoundTripper.RoundTrip(request)
	}
	return &http.Response{StatusCode: http.StatusOK, Request: request, Body: io.NopCloser(strings.NewReader(`{"gitVersion":"v1.99.0"}`))}, nil
}

// TestLogTellsVersions checks that a manager logs with what it runs, and warns of it.
func TestLogTellsVersions(t *testing.T) {
	cfg := cluster.ManagerConfig()
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return newer{next} })
	var output strings.Builder
	ctx := log.IntoContext(t.Context(), zap.New(zap.WriteTo(&output)))
	_, err := operator.New(ctx, cfg, operator.Options{
		OwnNamespace: controlplane.Namespace, MetricsBindAddress: "0", HealthProbeBindAddress: "0", SharedProcess: true,
	})
	expect.NoError(t, err)
	expect.Contains(t, output.String(), `"kubernetes":"v1.99.0","toolhive":"unknown"`, "not tested with Kubernetes v1.99.0, but with 1.30 to 1.37")
}
