package manager_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// policies returns the policies of the installation, the start-up policy last.
func policies(t *testing.T) []guard.Policy {
	t.Helper()
	all, err := guard.Policies(guard.ModeWarn, nil)
	expect.NoError(t, err)
	return all
}

// awaitCheck repeats the check until its findings have these causes. The API server
// has no event for the moment when it starts to evaluate a policy.
func awaitCheck(t *testing.T, checker *canary.Checker, what string, ineffective map[string]canary.Cause) {
	t.Helper()
	want := map[string]canary.Cause{guard.CanaryNamespace: ""}
	for _, policy := range guard.PolicyNames {
		want[policy] = ""
	}
	for policy, cause := range ineffective {
		want[policy] = cause
	}
	var found map[string]canary.Finding
	expect.Eventually(t, what, func(ctx context.Context) (bool, error) {
		now, err := checker.Check(ctx)
		if err != nil {
			return false, err
		}
		if found = now; len(found) != len(want) {
			return false, nil
		}
		for policy, finding := range found {
			if cause, expected := want[policy]; !expected || finding.Cause != cause {
				return false, nil
			}
		}
		return true, nil
	}, func() string { return fmt.Sprintf("found: %q", found) })
}

// TestCheck tries the policies on ToolHive's own CRDs. test/guard/sabotage changes
// every object of the installation.
func TestCheck(t *testing.T) {
	all := policies(t)
	startUp := all[len(all)-1]
	cluster.Create(t, startUp.ValidatingAdmissionPolicy)
	for _, binding := range startUp.Bindings {
		cluster.Create(t, binding)
	}
	checker, err := canary.New(cluster.ManagerConfig(), operator.Scheme, policies(t), events.NewFakeRecorder(100))
	expect.NoError(t, err)
	awaitCheck(t, checker, "all is effective", map[string]canary.Cause{guard.StartUpPolicy: ""})

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guard.CanaryNamespace}}
	setMode := func(mode string) {
		t.Helper()
		cluster.Patch(t, namespace, `{"metadata":{"labels":{"`+guard.ModeLabel+`":"`+mode+`"}}}`)
	}
	setMode(guard.ModeWarn)
	awaitCheck(t, checker, "what can be tried is admitted", map[string]canary.Cause{
		guard.ConsumersPolicy: canary.Admitted, guard.VirtualMCPServersPolicy: canary.Admitted, guard.StartUpPolicy: canary.Admitted,
	})
	setMode(guard.ModeStrict)
	cluster.Delete(t, startUp.ValidatingAdmissionPolicy)
	for _, binding := range startUp.Bindings {
		cluster.Delete(t, binding)
	}
	awaitCheck(t, checker, "all is effective, but the start-up policy is gone", map[string]canary.Cause{guard.StartUpPolicy: canary.Missing})

	key := client.ObjectKey{Namespace: guard.CanaryNamespace, Name: canary.Name}
	expect.NoError(t, cluster.Client.Get(t.Context(), key, &v1beta1.MCPExternalAuthConfig{}))
	for _, object := range []client.Object{&v1beta1.MCPServer{}, &v1beta1.MCPRemoteProxy{}, &v1beta1.VirtualMCPServer{}, &corev1.Pod{}} {
		if err := cluster.Client.Get(t.Context(), key, object); !apierrors.IsNotFound(err) {
			t.Errorf("%T %s: got %v, want not found", object, key, err)
		}
	}
}
