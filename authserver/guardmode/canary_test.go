package guardmode_test

import (
	"context"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/operator"
)

func newChecker(t *testing.T) *canary.Checker {
	t.Helper()
	checker, err := canary.New(cluster.ManagerConfig(), operator.Scheme, controlplane.Namespace, events.NewFakeRecorder(100))
	if err != nil {
		t.Fatal(err)
	}
	return checker
}

// awaitProbe probes until what is found of a policy is accepted: the API server
// has no event for the moment from which it follows a policy.
func awaitProbe(t *testing.T, checker *canary.Checker, policy, what string, ok func(string) bool) {
	t.Helper()
	var found map[string]string
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, awaitTimeout, true, func(ctx context.Context) (bool, error) {
		var err error
		found, err = checker.Probe(ctx)
		return err == nil && ok(found[policy]), err
	})
	if err != nil {
		t.Fatalf("waiting until policy %s %s: %v; found: %q", policy, what, err, found)
	}
}

func bites(why string) bool { return why == "" }

func says(text string) func(string) bool {
	return func(why string) bool { return strings.Contains(why, text) }
}

// TestCanary takes the teeth out of each policy, in each way that there is, and
// puts them back.
func TestCanary(t *testing.T) {
	policies, err := guard.Policies()
	if err != nil {
		t.Fatal(err)
	}
	checker := newChecker(t)
	for _, policy := range policies {
		name := policy.Policy.Name
		t.Run(name, func(t *testing.T) {
			awaitProbe(t, checker, name, "bites", bites)
			for _, binding := range policy.Bindings {
				if err := cluster.Client.Delete(t.Context(), binding.DeepCopy()); err != nil {
					t.Fatal(err)
				}
			}
			awaitProbe(t, checker, name, "is asked by nobody", says("no ValidatingAdmissionPolicyBinding asks it"))
			if err := cluster.Client.Delete(t.Context(), policy.Policy.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			awaitProbe(t, checker, name, "is missing", says("is not installed"))
			create(t, policy.Policy.DeepCopy())
			for _, binding := range policy.Bindings {
				create(t, binding.DeepCopy())
			}
			awaitProbe(t, checker, name, "bites", bites)
		})
	}
	for _, name := range []string{"scopegate-consumers", "scopegate-virtualmcpservers", "scopegate-defaults-for-virtualmcpservers"} {
		t.Run(name+" lets pass", func(t *testing.T) {
			policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
			if err := cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(policy), policy); err != nil {
				t.Fatal(err)
			}
			before := policy.DeepCopy()
			for i := range policy.Spec.Validations {
				policy.Spec.Validations[i].Expression = "true"
			}
			if err := cluster.Client.Update(t.Context(), policy); err != nil {
				t.Fatal(err)
			}
			awaitProbe(t, checker, name, "lets pass", says("it let pass by dry run"))
			policy.Spec = before.Spec
			if err := cluster.Client.Update(t.Context(), policy); err != nil {
				t.Fatal(err)
			}
			awaitProbe(t, checker, name, "bites", bites)
		})
	}
	t.Run("its namespace is off", func(t *testing.T) {
		setMode := func(mode string) {
			t.Helper()
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: controlplane.Namespace}}
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"scopegate.dev/guard":`+mode+`}}}`))
			if err := cluster.Client.Patch(t.Context(), namespace, patch); err != nil {
				t.Fatal(err)
			}
		}
		setMode(`"off"`)
		awaitProbe(t, checker, "scopegate-consumers", "is not asked", says("labelled scopegate.dev/guard=off"))
		setMode(`"deny"`)
		awaitProbe(t, checker, "scopegate-consumers", "bites", bites)
		setMode(`null`)
		awaitProbe(t, checker, "scopegate-consumers", "bites", bites)
	})
	t.Run("nothing is stored but one config", func(t *testing.T) {
		key := client.ObjectKey{Namespace: controlplane.Namespace, Name: canary.Name}
		if err := cluster.Client.Get(t.Context(), key, &v1beta1.MCPExternalAuthConfig{}); err != nil {
			t.Error(err)
		}
		for _, object := range []client.Object{&v1beta1.MCPServer{}, &v1beta1.MCPRemoteProxy{}, &v1beta1.VirtualMCPServer{}} {
			if err := cluster.Client.Get(t.Context(), key, object); !apierrors.IsNotFound(err) {
				t.Errorf("%T %s: got %v, want that there is none", object, key, err)
			}
		}
	})
}
