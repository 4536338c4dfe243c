package setup

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testenv"
	"github.com/scopegate/scopegate/test/corpus"
)

// staticRule is the folder of the cases of the rule that is a policy here.
const staticRule = "virtualmcpserver/baseline-in-advertised-scopes/"

const (
	staticPolicy   = "scopegate-virtualmcpservers"
	defaultsPolicy = "scopegate-defaults-for-virtualmcpservers"
)

// CheckCorpus gives the policy the cases of the rule from which it is made: same
// verdicts, same messages, in both versions.
func CheckCorpus(t *testing.T, cluster *testenv.Cluster, root fs.FS) {
	t.Helper()
	cases, err := corpus.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := Namespace(t.Context(), cluster.Client, guard.ModeDeny)
	if err != nil {
		t.Fatal(err)
	}
	if err := Settle(t.Context(), cluster.Client); err != nil {
		t.Fatal(err)
	}
	// It does not print the warnings of v1alpha1.
	quiet, _ := Client(t, cluster)
	counts := map[bool]int{}
	for _, c := range cases {
		if !strings.HasPrefix(c.Path, staticRule) || hasScopesSupported(c) {
			continue
		}
		counts[c.Accept]++
		for _, version := range []string{"v1beta1", "v1alpha1"} {
			t.Run(c.Path+"/"+version, func(t *testing.T) {
				object := c.Object.DeepCopy()
				object.SetNamespace(namespace)
				object.SetAPIVersion("toolhive.stacklok.dev/" + version)
				err := quiet.Create(t.Context(), object, client.DryRunAll)
				refusal, refused := AsRefusal(err)
				if err != nil && !refused {
					t.Fatal(err)
				}
				var want Refusal
				if !c.Accept {
					want = Refusal{staticPolicy, staticPolicy + "-" + guard.ModeDeny, strings.TrimPrefix(c.Causes[0].Message, "Invalid value: ")}
				} else if refusal.Policy == defaultsPolicy {
					// Where the case has no scopes of its own, that policy judges too.
					refusal = Refusal{}
				}
				if diff := cmp.Diff(want, refusal); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
	if counts[true] < 5 || counts[false] < 5 {
		t.Errorf("too few cases: %v", counts)
	}
}

// hasScopesSupported tells whether a case needs the field that ToolHive's CRDs
// do not have.
func hasScopesSupported(c corpus.Case) bool {
	spec, _ := c.Object.Object["spec"].(map[string]any)
	config, _ := spec["authServerConfig"].(map[string]any)
	scopes, _ := config["scopesSupported"].([]any)
	return len(scopes) > 0
}
