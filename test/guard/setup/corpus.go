package setup

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// staticRule is the folder of the cases of the rule that is a policy here.
const staticRule = "virtualmcpserver/baseline-in-advertised-scopes/"

// CheckCorpus gives the policy on VirtualMCPServers the cases of the rule of the CRD
// that says the same: same verdicts, same scopes, in both versions.
func CheckCorpus(t *testing.T, cluster *testenv.Cluster, root string) {
	t.Helper()
	cases := corpus.Cases(t, root)
	namespace, err := Namespace(t.Context(), cluster.Client, guard.ModeDeny)
	expect.NoError(t, err)
	expect.NoError(t, Settle(t.Context(), cluster.Client))
	quiet := cluster.Quiet(t)
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
					// The rule says: scope "x" (and 1 more) is not in spec.…: add it there, or …
					scope, fix, _ := strings.Cut(strings.TrimPrefix(c.Causes[0].Message, "Invalid value: "), " is not in ")
					want = Refusal{guard.VirtualMCPServersPolicy, guard.VirtualMCPServersPolicy + "-" + guard.ModeDeny, fmt.Sprintf(
						"%s of spec.authServerConfig.baselineClientScopes of VirtualMCPServer %q is not supported by its auth server: it is not in %s", scope, object.GetName(), fix)}
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
