// Package writes_test counts and reads what scopegate sends: the contract of a
// status patch on the wire, the writes of a steady state and of one edit, the
// metrics, and the recorder that guards every other suite.
package writes_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

// TestMain does not fail on what the recorder found: a test here makes it find
// something.
func TestMain(m *testing.M) {
	testenv.RunMain(m, func(ctx context.Context, atEnd func(func() error)) (err error) {
		if cluster, err = testenv.Start(ctx, controlplane.Options{ControllerManager: true}); err == nil {
			atEnd(cluster.Stop)
		}
		return err
	})
}

// wire keeps the requests that go through it, watches and lists excepted.
type wire struct {
	next http.RoundTripper
	mu   sync.Mutex
	sent []exchange
}

// exchange is a request and the status of its response, 0 if there was none.
type exchange struct {
	request string
	status  int
}

// wrap makes a client's requests go through the wire.
func (w *wire) wrap(cfg *rest.Config) {
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.next = next
		return w
	})
}

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	body := ""
	if request.Body != nil {
		content, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		body = string(content)
		request.Body = io.NopCloser(strings.NewReader(body))
	}
	sent := exchange{request: fmt.Sprintf("%s %s %s %s", request.Method, request.URL.Path, request.Header.Get("Content-Type"), body)}
	response, err := w.next.RoundTrip(request)
	if err == nil {
		sent.status = response.StatusCode
	}
	w.mu.Lock()
	w.sent = append(w.sent, sent)
	w.mu.Unlock()
	return response, err
}

// take returns the requests since the last call whose text starts with any of
// the prefixes.
func (w *wire) take(prefixes ...string) []string {
	return w.drain(func(sent exchange) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(sent.request, prefix) })
	})
}

// takeWritten returns the requests since the last call that changed something. A
// write that is based on a stale cache is rejected with a conflict, and changes
// nothing.
func (w *wire) takeWritten() []string {
	return w.drain(func(sent exchange) bool {
		method, _, _ := strings.Cut(sent.request, " ")
		return slices.Contains(writes, method) && sent.status != http.StatusConflict
	})
}

func (w *wire) drain(keep func(exchange) bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var kept []string
	for _, sent := range w.sent {
		if keep(sent) {
			kept = append(kept, sent.request)
		}
	}
	w.sent = nil
	return kept
}

// writes are the methods of all requests that change something.
var writes = []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// TestEveryKindIsWatchedFromTheStart starts the cache of a manager without its
// controllers, as in a manager that is not the leader. The cache must have
// everything that the controllers will read.
func TestEveryKindIsWatchedFromTheStart(t *testing.T) {
	wire, cfg := &wire{}, cluster.ManagerConfig()
	wire.wrap(cfg)
	mgr, err := operator.New(t.Context(), cfg, operator.Options{Standalone: true, MetricsBindAddress: "0", SharedProcess: true})
	expect.NoError(t, err)
	wire.take()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- mgr.GetCache().Start(ctx) }()
	mgr.GetCache().WaitForCacheSync(ctx)
	seen := map[string]bool{}
	for _, request := range wire.take("GET ") {
		seen[path.Base(strings.Fields(request)[1])] = true
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	want := map[string]bool{
		"mcpexternalauthconfigs": true, "mcpservers": true, "mcpremoteproxies": true, "virtualmcpservers": true, "mcpoidcconfigs": true,
		"deployments": true, "services": true,
	}
	for resource := range seen {
		if !want[resource] {
			delete(seen, resource)
		}
	}
	expect.Equal(t, "resources that were read", want, seen)
}
