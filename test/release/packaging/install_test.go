package packaging_test

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// crds are the CRDs that are installed.
func crds(t *testing.T, cluster *testenv.Cluster) []apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	list := &apiextensionsv1.CustomResourceDefinitionList{}
	expect.NoError(t, cluster.Client.List(t.Context(), list))
	return list.Items
}

// specs are the CRDs that are installed, by name.
func specs(t *testing.T, cluster *testenv.Cluster) map[string]apiextensionsv1.CustomResourceDefinitionSpec {
	t.Helper()
	all := map[string]apiextensionsv1.CustomResourceDefinitionSpec{}
	for _, crd := range crds(t, cluster) {
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

// own makes a field manager the one that installed the CRDs. Deleting and creating them
// takes longer.
func own(t *testing.T, cluster *testenv.Cluster, manager string, operation metav1.ManagedFieldsOperationType) {
	t.Helper()
	owned := 0
	for _, crd := range crds(t, cluster) {
		before := crd.DeepCopy()
		for i := range crd.ManagedFields {
			if fields := &crd.ManagedFields[i]; fields.Subresource == "" {
				fields.Manager, fields.Operation = manager, operation
				owned++
			}
		}
		expect.NoError(t, cluster.Client.Patch(t.Context(), &crd, client.MergeFrom(before)))
	}
	if owned < 5 {
		t.Fatalf("%s owns %d CRDs", manager, owned)
	}
}

// TestStandaloneRefusesToolHive checks that standalone mode changes nothing on a cluster
// with ToolHive's CRDs, however they were installed.
func TestStandaloneRefusesToolHive(t *testing.T) {
	t.Parallel()
	cluster := takeCluster(t)
	before := specs(t, cluster)
	for title, tc := range map[string]struct {
		manager   string
		operation metav1.ManagedFieldsOperationType
	}{
		"kubectl apply --server-side": {"kubectl", metav1.ManagedFieldsOperationApply},
		"kubectl create":              {"kubectl-create", metav1.ManagedFieldsOperationUpdate},
		"Argo CD":                     {"argocd-controller", metav1.ManagedFieldsOperationApply},
		"Helm":                        {"helm", metav1.ManagedFieldsOperationApply},
	} {
		t.Run(title, func(t *testing.T) {
			own(t, cluster, tc.manager, tc.operation)
			// As documented, the second command runs only if the first one
			// succeeds.
			_, stderr, err := cluster.Kubectl(t.Context(), nil, append(preflight, distFile("standalone"))...)
			if conflicts := strings.Count(stderr, `conflict with "`+tc.manager+`"`) + strings.Count(stderr, `conflicts with "`+tc.manager+`"`); err == nil || conflicts != 5 {
				t.Errorf("%d conflicts, want one for each of the 5 CRDs: %v:\n%s", conflicts, err, stderr)
			}
			if namespaces := kubectl(t, cluster, "get", "namespaces", "-o", "name"); strings.Contains(namespaces, "scopegate") {
				t.Errorf("the preflight has made something: %s", namespaces)
			}
		})
	}
	own(t, cluster, "helm", metav1.ManagedFieldsOperationApply)
	_, stderr, err := cluster.Kubectl(t.Context(), nil, "apply", "--server-side", "-f", distFile("standalone"))
	if conflicts := strings.Count(stderr, `conflicts with "helm"`); err == nil || conflicts != 5 {
		t.Errorf("without the preflight: %d conflicts, want one for each of the 5 CRDs: %v:\n%s", conflicts, err, stderr)
	}
	expect.Equal(t, "ToolHive's CRDs have changed", before, specs(t, cluster))
	kubectl(t, cluster, "delete", "-l", "app.kubernetes.io/component!=crd", "-f", distFile("standalone"))
}
