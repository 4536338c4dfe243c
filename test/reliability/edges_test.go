package reliability_test

import (
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestSlowAPIServer delays every answer of the API server. The manager keeps its
// lease, and works as usual.
func TestSlowAPIServer(t *testing.T) {
	if *full == 0 {
		t.Skip("only in a full run, for its time")
	}
	const delay = 2 * time.Second
	w := worldOf(t, standalone, "slow")
	_, process := startThrough(t, w, delay)
	for _, e := range append([]edit{nudge("web")}, story()[:3]...) {
		begin := time.Now()
		expect.NoError(t, w.do(t.Context(), e, false))
		awaitRight(t, w)
		// The manager learns of the edit late, so it acts late.
		if took := time.Since(begin); took < delay {
			t.Errorf("%s: right after %s, although every answer is %s late", e.what, took, delay)
		}
		report(t, "edge", begin, fmt.Sprintf("every answer of the API server is %s late; %s", delay, e.what), "right after %s", time.Since(begin).Round(100*time.Millisecond))
	}
	if err := process.Stop(); err != nil {
		t.Errorf("the manager did not survive it: %v", err)
	}
}

// TestCRDsAreReplaced deletes the CRDs, and with them every object, under a running
// manager, and applies them again.
func TestCRDsAreReplaced(t *testing.T) {
	if *full == 0 {
		t.Skip("only in a full run: client-go's watches back off for up to a minute")
	}
	plane := testenv.StartForTest(t, controlplane.Options{Controllers: controlplane.Garbage})
	manager := plane.StartStandalone(t, nil)
	namespace := plane.Namespace(t)
	fill := func(baseline, want string) {
		t.Helper()
		server := sample.Server(namespace, "web", sample.AuthServerRef("auth"))
		plane.Create(t, sample.OIDCConfig(namespace, "oidc"), sample.Config(namespace, "auth", baseline), server)
		begin := time.Now()
		testenv.AwaitValid(t, plane, server, want)
		report(t, "edge", begin, "the CRDs of a running manager are there", "the condition of a new object is right after %s", time.Since(begin).Round(100*time.Millisecond))
	}
	fill("openid", "True")
	crds, err := config.CRDs()
	expect.NoError(t, err)
	expect.NoError(t, envtest.UninstallCRDs(plane.Config, envtest.CRDInstallOptions{CRDs: crds}))
	for _, crd := range crds {
		testenv.AwaitGone(t, plane.Client, crd)
	}
	if crds, err = config.CRDs(); err != nil {
		t.Fatal(err)
	}
	if _, err := envtest.InstallCRDs(plane.Config, envtest.CRDInstallOptions{CRDs: crds, MaxTime: time.Minute}); err != nil {
		t.Fatal(err)
	}
	fill("admin", "False")
	select {
	case err := <-manager.Done():
		t.Errorf("the manager ended: %v", err)
	default:
	}
}
