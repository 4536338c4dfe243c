package guard_test

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

func TestCorpus(t *testing.T) { setup.CheckCorpus(t, cluster, "../testdata") }

func TestTypes(t *testing.T) { setup.CheckTypes(t, cluster) }

// TestLargest gives the policies lists about as long as an object can hold, which
// ToolHive's CRDs do not bound: they are evaluated, and not given up for their cost.
func TestLargest(t *testing.T) {
	ns := namespace(t, guard.ModeDeny)
	advertised, baseline := testenv.Many("advertised", 60_000), testenv.Many("baseline", 10)
	store(t, ns, guard.ModeDeny, testenv.Config(ns, "large", baseline...))
	for name, tc := range map[string]struct {
		object client.Object
		policy string
	}{
		"consumer": {testenv.Server(ns, "large", testenv.AuthServerRef("large", advertised...)), "scopegate-consumers"},
		"virtual":  {testenv.Virtual(ns, "large", testenv.AuthServer(baseline...), advertised...), "scopegate-virtualmcpservers"},
	} {
		t.Run(name, func(t *testing.T) {
			refusal := refusalOf(t, dryCreate(t, tc.object))
			if want := fmt.Sprintf("scope %q (and 9 more) ", baseline[0]); refusal.Policy != tc.policy || !strings.HasPrefix(refusal.Message, want) {
				t.Errorf("got %+v, want %s to say %s", refusal, tc.policy, want)
			}
		})
	}
}
