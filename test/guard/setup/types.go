package setup

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/policies"
)

// CheckTypes has kube-controller-manager check the expressions against the types
// of the CRDs, as it does in a cluster: not one warning in any status.
func CheckTypes(t *testing.T, cluster *testenv.Cluster) {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(cluster.Config)
	expect.NoError(t, err)
	all := policies.Load()
	// One that must be found fault with.
	wrong := all.Validating[0].DeepCopy()
	wrong.Name, wrong.Spec.Validations[0].Expression = "misspelt", "object.spec.misspelt == ''"
	api := clientset.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	if _, err := api.Create(t.Context(), wrong, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	startTypeChecker(t, cluster.Kubeconfig)
	for _, name := range append(slices.Clone(guard.ValidatingPolicies), guard.StartUpPolicy, wrong.Name) {
		var checking *admissionv1.TypeChecking
		expect.Eventually(t, name+" has a status.typeChecking", func(ctx context.Context) (bool, error) {
			stored, err := api.Get(ctx, name, metav1.GetOptions{})
			if err == nil {
				checking = stored.Status.TypeChecking
			}
			return checking != nil, err
		})
		if found := len(checking.ExpressionWarnings) > 0; found != (name == wrong.Name) {
			t.Errorf("%s: %+v", name, checking.ExpressionWarnings)
		}
	}
}

// startTypeChecker runs the one controller that writes status.typeChecking until
// the test ends.
func startTypeChecker(t *testing.T, kubeconfig string) {
	t.Helper()
	command := exec.Command(filepath.Join(os.Getenv(controlplane.AssetsVariable), "kube-controller-manager"), //nolint:gosec // The pinned binary.
		"--kubeconfig="+kubeconfig, "--controllers=validatingadmissionpolicy-status-controller", "--leader-elect=false", "--secure-port=0")
	expect.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}
