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
		now, err := checker.Probe(ctx)
		if err != nil {
			return false, err
		}
		found = now
		return ok(found[policy]), nil
	})
	if err != nil {
		t.Fatalf("waiting until policy %s %s: %v; found: %q", policy, what, err, found)
	}
}

func bites(why string) bool { return why == "" }

func says(text string) func(string) bool {
	return func(why string) bool { return strings.Contains(why, text) }
}

// policy is one of either kind, with its bindings.
type policy struct {
	object   client.Object
	bindings []client.Object
}

// allPolicies are the guard's, by name.
func allPolicies(t *testing.T) map[string]*policy {
	t.Helper()
	policies, err := guard.Policies()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*policy{}
	of := func(name string) *policy {
		if all[name] == nil {
			all[name] = &policy{}
		}
		return all[name]
	}
	for _, p := range policies {
		of(p.Policy.Name).object = p.Policy
		for _, binding := range p.Bindings {
			of(p.Policy.Name).bindings = append(of(p.Policy.Name).bindings, binding)
		}
	}
	for _, object := range guard.Lock() {
		switch object := object.(type) {
		case *admissionv1.ValidatingAdmissionPolicy, *admissionv1.MutatingAdmissionPolicy:
			of(object.GetName()).object = object
		case *admissionv1.ValidatingAdmissionPolicyBinding:
			of(object.Spec.PolicyName).bindings = append(of(object.Spec.PolicyName).bindings, object)
		case *admissionv1.MutatingAdmissionPolicyBinding:
			of(object.Spec.PolicyName).bindings = append(of(object.Spec.PolicyName).bindings, object)
		}
	}
	return all
}

func copyOf(object client.Object) client.Object { return object.DeepCopyObject().(client.Object) }

// TestCanary takes the teeth out of each policy, in each way that there is, and
// puts them back.
func TestCanary(t *testing.T) {
	checker := newChecker(t)
	for name, policy := range allPolicies(t) {
		t.Run(name, func(t *testing.T) {
			awaitProbe(t, checker, name, "bites", bites)
			for _, binding := range policy.bindings {
				if err := cluster.Client.Delete(t.Context(), copyOf(binding)); err != nil {
					t.Fatal(err)
				}
			}
			awaitProbe(t, checker, name, "is asked by nobody", says("no binding asks it"))
			if err := cluster.Client.Delete(t.Context(), copyOf(policy.object)); err != nil {
				t.Fatal(err)
			}
			awaitProbe(t, checker, name, "is missing", says("is not installed"))
			create(t, copyOf(policy.object))
			for _, binding := range policy.bindings {
				create(t, copyOf(binding))
			}
			awaitProbe(t, checker, name, "bites", bites)
		})
	}
	t.Run("the parameters are missing", func(t *testing.T) {
		parameters := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: guard.ParametersNamespace, Name: guard.ParametersName}}
		if err := cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(parameters), parameters); err != nil {
			t.Fatal(err)
		}
		if err := cluster.Client.Delete(t.Context(), copyOf(parameters)); err != nil {
			t.Fatal(err)
		}
		awaitProbe(t, checker, guard.LockDeny, "lets pass", says("it let pass by dry run"))
		awaitProbe(t, checker, guard.LockHold, "does not hold", says("it did not hold by dry run"))
		parameters.ResourceVersion, parameters.UID = "", ""
		create(t, parameters)
		awaitProbe(t, checker, guard.LockDeny, "bites", bites)
		awaitProbe(t, checker, guard.LockHold, "holds", bites)
		awaitProbe(t, checker, guard.LockWarn, "warns", bites)
	})
	for _, name := range []string{"scopegate-consumers", "scopegate-virtualmcpservers", "scopegate-defaults-for-virtualmcpservers", guard.LockDeny, guard.LockWarn} {
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
			awaitProbe(t, checker, name, "lets pass", says(" by dry run "))
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
		awaitProbe(t, checker, "scopegate-consumers", "is not asked", says("label it scopegate.dev/guard=deny"))
		setMode(`"deny"`)
		for name := range allPolicies(t) {
			awaitProbe(t, checker, name, "bites", bites)
		}
	})
	t.Run("nothing is stored that runs", func(t *testing.T) {
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
