package setup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/mistakes"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// staticRule is the folder of the cases of the rule that the policy on
// VirtualMCPServers replaces.
const staticRule = "virtualmcpserver/baseline-in-advertised-scopes/"

// CheckCorpus tries the policy on VirtualMCPServers with the cases of the CRD rule
// that it replaces. The results and the scopes must be the same, in both versions.
func CheckCorpus(t *testing.T, cluster *testenv.Cluster, root string) {
	t.Helper()
	cases := corpus.Cases(t, root)
	namespace, err := Namespace(t.Context(), cluster.Client, guard.ModeStrict)
	expect.NoError(t, err)
	expect.NoError(t, Settle(t.Context(), cluster.Client))
	quiet := cluster.WithoutWarnings(t)
	counts := map[bool]int{}
	for _, c := range cases {
		if !strings.HasPrefix(c.Path, staticRule) || hasScopesSupported(c) {
			continue
		}
		counts[c.Accept]++
		for _, version := range []string{"v1beta1", "v1alpha1"} {
			t.Run(c.Path+"/"+version, func(t *testing.T) {
				object := corpus.As(c.Object, version, namespace, c.Object.GetName())
				err := quiet.Create(t.Context(), object, client.DryRunAll)
				refusal, refused := AsRefusal(err)
				if err != nil && !refused {
					t.Fatal(err)
				}
				var want Refusal
				if !c.Accept {
					// The rule says: scope "x" is not in spec.incomingAuth.oidcConfigRef.scopes: …
					scope := strings.SplitN(c.Causes[0].Message, `"`, 3)[1]
					want = Refusal{guard.VirtualMCPServersPolicy, guard.VirtualMCPServersPolicy + "-deny", fmt.Sprintf(
						"VirtualMCPServer %q does not support scope %q: add it to spec.incomingAuth.oidcConfigRef.scopes, or remove it from spec.authServerConfig.baselineClientScopes", object.GetName(), scope)}
				} else if !hasScopes(c) {
					// The rule leaves the defaults to the controller; the policy does not.
					refusal = Refusal{}
				}
				expect.Equal(t, "", want, refusal)
			})
		}
	}
	if counts[true] < 5 || counts[false] < 5 {
		t.Errorf("too few cases: %v", counts)
	}
}

// hasScopes reports whether a case lists scopes of its own.
func hasScopes(c corpus.Case) bool {
	scopes, _, _ := unstructured.NestedSlice(c.Object.Object, "spec", "incomingAuth", "oidcConfigRef", "scopes")
	return len(scopes) > 0
}

// hasScopesSupported reports whether a case needs the field that ToolHive's CRDs
// do not have.
func hasScopesSupported(c corpus.Case) bool {
	scopes, _, _ := unstructured.NestedSlice(c.Object.Object, "spec", "authServerConfig", "scopesSupported")
	return len(scopes) > 0
}

// CheckStartUp tries the policy on start-up with configs that the gate of standalone
// mode holds or not, in both versions. It must admit every accept case of the corpus.
func CheckStartUp(t *testing.T, cluster *testenv.Cluster, root string) {
	t.Helper()
	namespace, err := Namespace(t.Context(), cluster.Client, guard.ModeStrict)
	expect.NoError(t, err)
	expect.NoError(t, Settle(t.Context(), cluster.Client))
	quiet := cluster.WithoutWarnings(t)
	check := func(name string, object *unstructured.Unstructured, accept bool) {
		for _, version := range []string{"v1beta1", "v1alpha1"} {
			t.Run(name+"/"+version, func(t *testing.T) {
				object := corpus.As(object, version, namespace, object.GetName())
				CheckRefusedAtStart(t, quiet.Create(t.Context(), object, client.DryRunAll), object, accept)
			})
		}
	}
	for name, c := range mistakes.Cases() {
		for kind := range mistakes.Kinds {
			check(name+"/"+kind, c.Object(t, kind, namespace, "login"), c.Field == "" || c.Left)
		}
	}
	for _, c := range corpus.Cases(t, root) {
		if c.Accept && mistakes.Kinds[c.Object.GetKind()] != "" {
			check(c.Path, c.Object, true)
		}
	}
}

// CheckRefusedAtStart checks the API server's answer to an edit of an object. The
// policy on start-up must reject the edit, or must not if accept is true.
func CheckRefusedAtStart(t *testing.T, err error, object *unstructured.Unstructured, accept bool) {
	t.Helper()
	refusal, refused := AsRefusal(err)
	// A rule of the CRD or another policy may reject what this one admits.
	admitted := err == nil || apierrors.IsInvalid(err) || refused && refusal.Policy != guard.StartUpPolicy
	refused = refused && refusal.Policy == guard.StartUpPolicy
	switch {
	case accept && admitted, !accept && refused && strings.HasPrefix(refusal.Message, object.GetKind()+` "`+object.GetName()+`": `):
	default:
		t.Errorf("accept %t: the API server says %v", accept, err)
	}
}

// CheckTypes lets kube-controller-manager check the expressions against the
// types of the CRDs, as it does in a cluster. No status may have a warning.
func CheckTypes(t *testing.T, cluster *testenv.Cluster) {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(cluster.Config)
	expect.NoError(t, err)
	policies, err := guard.Policies(guard.ModeWarn, nil)
	expect.NoError(t, err)
	// One that must get a warning.
	wrong := policies[0].DeepCopy()
	wrong.Name, wrong.Spec.Validations[0].Expression = "misspelt", "object.spec.misspelt == ''"
	api := clientset.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	if _, err := api.Create(t.Context(), wrong, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	startTypeChecker(t, cluster.Kubeconfig)
	for _, name := range append(slices.Clone(guard.PolicyNames), guard.StartUpPolicy, wrong.Name) {
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
