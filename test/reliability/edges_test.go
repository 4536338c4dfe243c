package reliability_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestSlowAPIServer delays every answer of the API server. The manager keeps its
// lease, and works as usual.
func TestSlowAPIServer(t *testing.T) {
	delay := 100 * time.Millisecond
	if full() > 0 {
		delay = 2 * time.Second
	}
	w, err := newWorld(t.Context(), standalone, "slow")
	expect.NoError(t, err)
	w.follow(true)
	proxy := newProxy(t)
	proxy.Delay = delay
	process := startThrough(t, proxy, w)
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
	if full() == 0 {
		t.Skip("only in a full run: client-go's watches back off for up to a minute")
	}
	plane := testenv.StartForTest(t, controlplane.Options{GarbageCollector: true})
	manager := plane.StartStandalone(t, nil)
	namespace := plane.Namespace(t)
	fill := func(baseline, reason string) {
		t.Helper()
		server := sample.Server(namespace, "web", sample.AuthServerRef("auth"))
		plane.Create(t, sample.OIDCConfig(namespace, "oidc"), sample.Config(namespace, "auth", baseline), server)
		begin := time.Now()
		awaitReason(t, plane.Client, server, reason)
		report(t, "edge", begin, "the CRDs of a running manager are there", "the condition of a new object is right after %s", time.Since(begin).Round(100*time.Millisecond))
	}
	fill("openid", v1alpha1.ReasonBaselineScopesSupported)
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
	fill("admin", v1alpha1.ReasonBaselineScopeNotSupported)
	select {
	case err := <-manager.Done():
		t.Errorf("the manager ended: %v", err)
	default:
	}
}

// TestNamespaceIsBeingDeleted deletes a Deployment in a namespace that is being deleted,
// where the API server lets nobody create another. The status must report it, and
// verdicts must stay current.
func TestNamespaceIsBeingDeleted(t *testing.T) {
	w, kept := settledWorld(t, standalone, "being-deleted")
	// Nothing empties the namespace here, so it stays in this state.
	w.Delete(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	// A child is missing, and the verdict changes twice.
	for _, e := range []edit{replaceChild("web", false, false), setScopes("web", []string{"email"})} {
		expect.NoError(t, e.do(t.Context(), w))
	}
	awaitReason(t, w.Client, w.objects["web"], v1alpha1.ReasonBaselineScopeNotSupported)
	expect.NoError(t, setScopes("web", nil).do(t.Context(), w))
	awaitReason(t, w.Client, w.objects["web"], v1alpha1.ReasonBaselineScopesSupported)
	server := testenv.Await(t, w.Client, &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web"}}, "says why it does not roll out", func(s *v1beta1.MCPServer) bool {
		return testenv.Condition(s.Status.Conditions, v1alpha1.ConditionReady).Reason == v1alpha1.ReasonRolloutFailed
	})
	if ready := testenv.Condition(server.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(ready.Message, "being terminated") {
		t.Errorf("Ready says %q", ready.Message)
	}
	expect.NoError(t, kept.end())
}

func TestClockOfAnHourAhead(t *testing.T) {
	w, kept := settledWorld(t, standalone, "clock")
	expect.NoError(t, kept.end())
	ahead := metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second))
	server := &v1beta1.MCPServer{}
	expect.NoError(t, w.Client.Get(t.Context(), client.ObjectKeyFromObject(w.objects["web"]), server))
	for i := range server.Status.Conditions {
		server.Status.Conditions[i].LastTransitionTime = ahead
	}
	expect.NoError(t, w.Client.Status().Update(t.Context(), server))
	kept = keep(t.Context(), w, 1, start{})
	expect.NoError(t, w.do(t.Context(), setScopes("web", []string{"email"}), true))
	condition := awaitReason(t, w.Client, server, v1alpha1.ReasonBaselineScopeNotSupported)
	if !condition.LastTransitionTime.Before(&ahead) {
		t.Errorf("the transition is of %s, which is in the future", condition.LastTransitionTime)
	}
	awaitRight(t, w)
	expect.NoError(t, kept.end())
}

// settledWorld returns a world with a manager that has nothing left to do.
func settledWorld(t *testing.T, p *plane, namespace string) (*world, *supervisor) {
	t.Helper()
	w, err := newWorld(t.Context(), p, namespace)
	expect.NoError(t, err)
	w.follow(true)
	kept := keep(t.Context(), w, 1, start{})
	awaitRight(t, w)
	return w, kept
}

func awaitRight(t *testing.T, w *world) {
	t.Helper()
	expect.NoError(t, w.seen.await(t.Context(), w.namespace, w.wrong))
}

func awaitReason(t *testing.T, c client.WithWatch, object client.Object, reason string) metav1.Condition {
	t.Helper()
	var condition metav1.Condition
	testenv.Await(t, c, object.DeepCopyObject().(kinds.Object), "has the reason "+reason, func(now kinds.Object) bool {
		condition = testenv.Valid(now)
		return condition.Reason == reason
	})
	return condition
}
