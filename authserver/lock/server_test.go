package lock

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testenv"
	"github.com/scopegate/scopegate/test/guard/lockeval"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// onServer is how many texts of each sort the API server is given.
const onServer = 200

// TestServer shows that a real API server says what the evaluator says here.
func TestServer(t *testing.T) {
	if os.Getenv(controlplane.AssetsVariable) == "" {
		t.Skipf("%s is not set: `make test` sets it", controlplane.AssetsVariable)
	}
	setup.Quiet()
	cluster, err := testenv.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := cluster.Client
	install(t, c)
	e, counts := evaluator(t), &tally{}
	r := random{rand.New(rand.NewPCG(*seed, 0))} //nolint:gosec // Repeatable on purpose.
	for i := range 2 * onServer {
		a, err := r.encode()
		if err != nil {
			continue
		}
		if i%2 == 1 {
			a.text = r.edit(a)
		}
		object := lockeval.ConfigMap(a.data())
		// What JSON can't carry is no text of a ConfigMap.
		object.Data[a.key] = strings.ToValidUTF8(a.text, "\ufffd")
		want, err := e.Evaluate(t.Context(), object, denying, nil)
		if err != nil {
			t.Fatal(err)
		}
		message := ""
		if err := c.Create(t.Context(), object, client.DryRunAll); err != nil {
			refusal, ok := setup.AsRefusal(err)
			if !ok || refusal.Policy != guard.LockDeny {
				t.Fatalf("%v\n%q", err, a.text)
			}
			message = refusal.Message
		}
		counts.add(fmt.Sprintf("%s admitted %v", want.State, want.Admitted))
		// The API server shows a message without white space around it.
		if (message == "") != want.Admitted || message != strings.TrimSpace(want.Complaint) {
			t.Errorf("the API server says %q, the evaluator %+v of\n%q", message, want, a.text)
		}
	}
	t.Logf("%d texts: %s", 2*onServer, counts)
}

// install puts the lock in place, in the mode deny, and waits until it bites.
// Here it fails closed, such that an error of an expression is seen.
func install(t *testing.T, c client.Client) {
	t.Helper()
	params := denying.DeepCopy()
	objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guard.ParametersNamespace}}, params}
	for _, object := range append(objects, guard.Lock()...) {
		if policy, ok := object.(*admissionv1.ValidatingAdmissionPolicy); ok {
			fail := admissionv1.Fail
			policy.Spec.FailurePolicy = &fail
		}
		if err := c.Create(t.Context(), object); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	// Both of the policies that may speak.
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		refusal, _ := setup.AsRefusal(c.Create(ctx, lockeval.ConfigMap(map[string]string{jsonKey: `{"baseline_client_scopes":"embedded_auth_server_config"}`, yamlKey: "baseline_client_scopes:"}), client.DryRunAll))
		return refusal.Policy == guard.LockDeny, nil
	})
	if err != nil {
		t.Fatalf("waiting for the lock: %v", err)
	}
}
