package packaging_test

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// specs are the CRDs that are installed, by name.
func specs(t *testing.T, cluster *testenv.Cluster) map[string]apiextensionsv1.CustomResourceDefinitionSpec {
	t.Helper()
	list := &apiextensionsv1.CustomResourceDefinitionList{}
	expect.NoError(t, cluster.Client.List(t.Context(), list))
	all := map[string]apiextensionsv1.CustomResourceDefinitionSpec{}
	for _, crd := range list.Items {
		all[crd.Name] = crd.Spec
	}
	return all
}

// standaloneApply is the documented command. preflight is the command before
// it.
var (
	standaloneApply = []string{"apply", "--server-side", "--field-manager=scopegate", "-f"}
	preflight       = []string{"apply", "--server-side", "--field-manager=scopegate", "--dry-run=server", "-l", "app.kubernetes.io/component=crd", "-f"}
)

// TestStandaloneRefusesToolHive checks that standalone mode changes nothing of ToolHive's
// CRDs, with the preflight and without.
func TestStandaloneRefusesToolHive(t *testing.T) {
	t.Parallel()
	cluster := takeCluster(t)
	before := specs(t, cluster)
	for _, command := range [][]string{preflight, {"apply", "--server-side", "-f"}} {
		if namespaces := kubectl(t, cluster, "get", "namespaces", "-o", "name"); strings.Contains(namespaces, "scopegate") {
			t.Errorf("the preflight has made something: %s", namespaces)
		}
		_, stderr, err := cluster.Kubectl(t.Context(), nil, append(command, distFile("standalone"))...)
		if conflicts := strings.Count(stderr, "conflicts with "); err == nil || conflicts != 5 {
			t.Errorf("%v: %d conflicts, want one for each of the 5 CRDs: %v:\n%s", command, conflicts, err, stderr)
		}
	}
	expect.Equal(t, "ToolHive's CRDs have changed", before, specs(t, cluster))
	kubectl(t, cluster, "delete", "-l", "app.kubernetes.io/component!=crd", "-f", distFile("standalone"))
}
