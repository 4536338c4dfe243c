package writes_test

import (
	"context"
	"path"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestEveryKindIsWatchedFromTheStart starts the cache of a manager without its
// controllers, as a manager does that is not the leader: what they look at must
// be there when they start.
func TestEveryKindIsWatchedFromTheStart(t *testing.T) {
	wire, cfg := &wire{}, cluster.ManagerConfig()
	wire.wrap(cfg)
	mgr, err := operator.New(t.Context(), cfg, operator.Options{Standalone: true, MetricsBindAddress: "0", Embedded: true})
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
