package setup

import (
	"path"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// startUpRules are the folders of the cases of the rules that are one policy here.
var startUpRules = []string{
	"access-token-lifespan", "auth-code-lifespan", "cimd-cache-lifetime", "https-authorization-endpoint-base", "https-issuer", "https-oauth2-endpoints",
	"https-redirect-uri", "https-user-info", "no-default-among-providers", "no-loopback-redirect-uris", "no-user-in-issuer", "redirect-uri-shape", "refresh-token-lifespan",
}

// StartUpCases are the cases of these rules, and all that the rules accept.
func StartUpCases(t *testing.T, root string) (accepts, rejects []corpus.Case) {
	t.Helper()
	cases := corpus.Cases(t, root)
	for _, c := range cases {
		kind := path.Dir(path.Dir(c.Path))
		switch {
		case kind != "mcpexternalauthconfig" && kind != "virtualmcpserver":
		case c.Accept:
			accepts = append(accepts, c)
		case slices.Contains(startUpRules, c.Rule):
			rejects = append(rejects, c)
		}
	}
	for _, rule := range startUpRules {
		for _, kind := range []string{"MCPExternalAuthConfig", "VirtualMCPServer"} {
			of := func(c corpus.Case) bool { return c.Rule == rule && c.Object.GetKind() == kind }
			if !slices.ContainsFunc(accepts, of) || !slices.ContainsFunc(rejects, of) {
				t.Errorf("%s of %s has no cases in both directions", rule, kind)
			}
		}
	}
	return accepts, rejects
}

// CheckStartUp gives the policy on refusals at start the cases of the rules that say the
// same: same verdicts, in both versions.
func CheckStartUp(t *testing.T, cluster *testenv.Cluster, root string) {
	t.Helper()
	namespace, err := Namespace(t.Context(), cluster.Client, guard.ModeDeny)
	expect.NoError(t, err)
	expect.NoError(t, Settle(t.Context(), cluster.Client))
	quiet := cluster.Quiet(t)
	accepts, rejects := StartUpCases(t, root)
	for _, c := range slices.Concat(accepts, rejects) {
		for _, version := range []string{"v1beta1", "v1alpha1"} {
			t.Run(c.Path+"/"+version, func(t *testing.T) {
				object := corpus.As(c.Object, version, namespace, c.Object.GetName())
				CheckRefusedAtStart(t, quiet.Create(t.Context(), object, client.DryRunAll), object, c.Accept)
			})
		}
	}
}

// CheckRefusedAtStart compares what the API server says to the edit of an object with
// what the policy on refusals at start has to say.
func CheckRefusedAtStart(t *testing.T, err error, object *unstructured.Unstructured, accept bool) {
	t.Helper()
	refusal, refused := AsRefusal(err)
	refused = refused && refusal.Policy == guard.StartUpPolicy
	switch {
	case accept && !refused, !accept && refused && strings.HasPrefix(refusal.Message, object.GetKind()+` "`+object.GetName()+`": `):
	default:
		t.Errorf("accept %t: the API server says %v", accept, err)
	}
}
