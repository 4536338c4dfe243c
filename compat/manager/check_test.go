package manager_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/check"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/test/guard/policies"
	"github.com/scopegate/scopegate/test/guard/setup"
)

func newChecker(t *testing.T) *check.Checker {
	t.Helper()
	checker, err := check.New(cluster.ManagerConfig(), operator.Scheme, controlplane.Namespace, events.NewFakeRecorder(100))
	expect.NoError(t, err)
	return checker
}

// awaitCheck repeats the check until ok accepts its result for a policy. The API
// server has no event for the moment when it starts to evaluate a policy.
func awaitCheck(t *testing.T, checker *check.Checker, policy, what string, ok func(why string, reported bool) bool) {
	t.Helper()
	var found map[string]string
	expect.Eventually(t, "policy "+policy+" "+what, func(ctx context.Context) (bool, error) {
		now, err := checker.Check(ctx)
		if err != nil {
			return false, err
		}
		found = now
		why, reported := found[policy]
		return ok(why, reported), nil
	}, func() string { return fmt.Sprintf("found: %q", found) })
}

func effective(why string, reported bool) bool { return reported && why == "" }

func says(text string) func(string, bool) bool {
	return func(why string, _ bool) bool { return strings.Contains(why, text) }
}

// allPolicies returns the policies that this API server supports.
func allPolicies(t *testing.T) []string {
	t.Helper()
	if canHold(t) {
		return append(slices.Clone(guard.ValidatingPolicies), guard.HoldPolicy)
	}
	return guard.ValidatingPolicies
}

func canHold(t *testing.T) bool {
	t.Helper()
	can, err := setup.CanHold(cluster.Client)
	expect.NoError(t, err)
	return can
}

func TestCheck(t *testing.T) {
	checker := newChecker(t)
	for _, name := range allPolicies(t) {
		t.Run(name, func(t *testing.T) {
			awaitCheck(t, checker, name, "is effective", effective)
			objects := policies.Load().Objects(name)
			cluster.Delete(t, objects[1:]...)
			awaitCheck(t, checker, name, "has no binding", says("no binding refers to it"))
			cluster.Delete(t, objects[0])
			awaitCheck(t, checker, name, "is missing", says("is not installed"))
			cluster.Create(t, policies.Load().Objects(name)...)
			awaitCheck(t, checker, name, "is effective", effective)
		})
	}
	for _, name := range []string{guard.ConsumersPolicy, guard.VirtualMCPServersPolicy, guard.RunConfigsPolicy} {
		t.Run(name+" admits", func(t *testing.T) {
			policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
			cluster.Get(t, policy)
			before := policy.DeepCopy()
			for i := range policy.Spec.Validations {
				policy.Spec.Validations[i].Expression = "true"
			}
			expect.NoError(t, cluster.Client.Update(t.Context(), policy))
			awaitCheck(t, checker, name, "admits", says("it admitted by dry run"))
			policy.Spec = before.Spec
			expect.NoError(t, cluster.Client.Update(t.Context(), policy))
			awaitCheck(t, checker, name, "is effective", effective)
		})
	}
	t.Run("the hold does not hold", func(t *testing.T) {
		if !canHold(t) {
			t.Skip("this API server has no MutatingAdmissionPolicy")
		}
		policy := &admissionv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: guard.HoldPolicy}}
		cluster.Get(t, policy)
		before := policy.DeepCopy()
		policy.Spec.Mutations[0].JSONPatch.Expression = "false ? [JSONPatch{op: 'remove', path: '/data'}] : []"
		expect.NoError(t, cluster.Client.Update(t.Context(), policy))
		awaitCheck(t, checker, guard.HoldPolicy, "does not hold", says("it did not hold by dry run"))
		policy.Spec = before.Spec
		expect.NoError(t, cluster.Client.Update(t.Context(), policy))
		awaitCheck(t, checker, guard.HoldPolicy, "is effective", effective)
	})
	t.Run("the hold is not installed", func(t *testing.T) {
		if !canHold(t) {
			awaitCheck(t, checker, guard.HoldPolicy, "can't exist, and is not reported", func(_ string, reported bool) bool { return !reported })
			return
		}
		objects := policies.Load().Objects(guard.HoldPolicy)
		cluster.Delete(t, objects...)
		awaitCheck(t, checker, guard.HoldPolicy, "was there before, and is reported as missing", says("is not installed"))
		never := newChecker(t)
		awaitCheck(t, never, guard.RunConfigsPolicy, "is effective", effective)
		awaitCheck(t, never, guard.HoldPolicy, "was never there, and is not reported", func(_ string, reported bool) bool { return !reported })
		cluster.Create(t, policies.Load().Objects(guard.HoldPolicy)...)
		awaitCheck(t, never, guard.HoldPolicy, "is effective", effective)
	})
	t.Run("the policy on other refusals at start", func(t *testing.T) {
		name, unreported := guard.StartUpPolicy, func(_ string, reported bool) bool { return !reported }
		awaitCheck(t, checker, name, "is not installed, and is not reported", unreported)
		objects := policies.Load().Objects(name)
		cluster.Create(t, objects[0])
		awaitCheck(t, checker, name, "has no binding", says("no binding refers to it"))
		cluster.Create(t, objects[1:]...)
		awaitCheck(t, checker, name, "is effective", effective)
		admits := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
		cluster.Get(t, admits)
		for i := range admits.Spec.Validations {
			admits.Spec.Validations[i].Expression = "true"
		}
		expect.NoError(t, cluster.Client.Update(t.Context(), admits))
		awaitCheck(t, checker, name, "admits", says("it admitted by dry run what it must reject: an MCPExternalAuthConfig"))
		cluster.Delete(t, objects...)
		awaitCheck(t, checker, name, "is no longer reported", unreported)
	})
	t.Run("its namespace is off", func(t *testing.T) {
		setMode := func(mode string) {
			t.Helper()
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: controlplane.Namespace}}
			cluster.Patch(t, namespace, `{"metadata":{"labels":{"scopegate.dev/guard":`+mode+`}}}`)
		}
		setMode(`"off"`)
		awaitCheck(t, checker, guard.ConsumersPolicy, "is not evaluated", says("the label scopegate.dev/guard=deny"))
		setMode(`"deny"`)
		for _, name := range allPolicies(t) {
			awaitCheck(t, checker, name, "is effective", effective)
		}
	})
	t.Run("what can't be tried", func(t *testing.T) {
		nowhere, err := check.New(cluster.Config, operator.Scheme, "missing", events.NewFakeRecorder(1))
		expect.NoError(t, err)
		for _, name := range []string{guard.ConsumersPolicy, guard.VirtualMCPServersPolicy, guard.RunConfigsPolicy} {
			awaitCheck(t, nowhere, name, "can't be tried", says("can't be tried in namespace missing"))
		}
	})
	t.Run("nothing is stored that runs", func(t *testing.T) {
		key := client.ObjectKey{Namespace: controlplane.Namespace, Name: check.Name}
		if err := cluster.Client.Get(t.Context(), key, &v1beta1.MCPExternalAuthConfig{}); err != nil {
			t.Error(err)
		}
		for _, object := range []client.Object{&v1beta1.MCPServer{}, &v1beta1.MCPRemoteProxy{}, &v1beta1.VirtualMCPServer{}} {
			if err := cluster.Client.Get(t.Context(), key, object); !apierrors.IsNotFound(err) {
				t.Errorf("%T %s: got %v, want not found", object, key, err)
			}
		}
	})
}
