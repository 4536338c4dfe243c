package sabotage_test

import (
	"context"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestStoredAndExhausted lets the quota go for one kind, and stores an object of it. Then
// another quota forbids the config that the check stores.
func TestStoredAndExhausted(t *testing.T) {
	checker := newChecker(t, nil, policies(t)...)
	await(t, checker, "all is effective", silent)
	object := read(t, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: guard.CanaryNamespace, Name: canary.Name}})
	lax := with(object, deleted{}, "spec", "hard", "count/mcpservers.toolhive.stacklok.dev")
	expect.NoError(t, overwrite(t.Context(), lax))
	admitted := func(found map[string]canary.Finding) bool {
		finding := found[guard.CanaryNamespace]
		return finding.Cause == canary.Admitted && strings.HasSuffix(finding.Message, "it has a ResourceQuota for this namespace")
	}
	await(t, checker, "an MCPServer could be stored", admitted)
	server := sample.Server(guard.CanaryNamespace, canary.Name, sample.AuthServerRef("none"))
	cluster.Create(t, server)
	await(t, checker, "an MCPServer is stored", admitted)
	cluster.Delete(t, server)
	expect.NoError(t, overwrite(t.Context(), object.DeepCopy()))
	await(t, checker, "the quota is as it was", silent)

	forbidding := with(object, map[string]any{"count/mcpexternalauthconfigs.toolhive.stacklok.dev": "0"}, "spec", "hard")
	forbidding.SetName("forbidding")
	expect.NoError(t, cluster.Client.Create(t.Context(), forbidding))
	stored := &v1beta1.MCPExternalAuthConfig{ObjectMeta: metav1.ObjectMeta{Namespace: guard.CanaryNamespace, Name: canary.Name}}
	await(t, checker, "the config can't be stored", func(found map[string]canary.Finding) bool {
		// A check before the API server sees the quota stores it again.
		return client.IgnoreNotFound(cluster.Client.Delete(t.Context(), stored.DeepCopy())) == nil && found[guard.CanaryNamespace].Cause == canary.NotTried
	})
	expect.NoError(t, cluster.Client.Delete(t.Context(), forbidding))
	await(t, checker, "the config is stored", silent)
}

// TestNamespaceIsGone deletes the namespace with all that is in it.
func TestNamespaceIsGone(t *testing.T) {
	checker := newChecker(t, nil, policies(t)...)
	await(t, checker, "all is effective", silent)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guard.CanaryNamespace}}
	cluster.Delete(t, namespace)
	await(t, checker, "the namespace is missing", loud)
	testenv.AwaitGone(t, cluster.Client, namespace)
	await(t, checker, "the namespace is gone", loud)
	for _, folder := range []string{"guard/canary", "guard/rbac"} {
		objects, err := config.Objects(folder)
		expect.NoError(t, err)
		for _, object := range objects {
			expect.NoError(t, client.IgnoreAlreadyExists(cluster.Client.Create(t.Context(), object)))
		}
	}
	await(t, checker, "the namespace is back", silent)
}

// TestWithoutStartUp starts a check where the optional policy is not installed. It must not
// be tried: for a moment, the API server would still refuse what it refused.
func TestWithoutStartUp(t *testing.T) {
	policy := read(t, &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: guard.StartUpPolicy}})
	expect.NoError(t, cluster.Client.Delete(t.Context(), policy.DeepCopy()))
	defer func() { expect.NoError(t, cluster.Client.Create(t.Context(), policy)) }()
	await(t, newChecker(t, nil, policies(t)...), "nothing is reported", func(found map[string]canary.Finding) bool {
		_, tried := found[guard.StartUpPolicy]
		return silent(found) && !tried
	})
}

// TestCRDs deletes each CRD of the four kinds.
func TestCRDs(t *testing.T) {
	checker := newChecker(t, nil, policies(t)...)
	await(t, checker, "all is effective", silent)
	for _, plural := range []string{"mcpexternalauthconfigs", "mcpservers", "mcpremoteproxies", "virtualmcpservers"} {
		crd := read(t, &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: plural + ".toolhive.stacklok.dev"}})
		unstructured.RemoveNestedField(crd.Object, "status")
		expect.NoError(t, cluster.Client.Delete(t.Context(), crd.DeepCopy()))
		await(t, checker, plural+" are gone", func(found map[string]canary.Finding) bool {
			return found[guard.CanaryNamespace].Cause == canary.NotTried
		})
		// The API server first deletes all objects of the kind.
		expect.Eventually(t, plural+" can be created", func(ctx context.Context) (bool, error) {
			err := cluster.Client.Create(ctx, crd.DeepCopy())
			return err == nil, client.IgnoreAlreadyExists(err)
		})
		await(t, checker, plural+" are back", silent)
	}
}
