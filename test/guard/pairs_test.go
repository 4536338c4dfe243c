package guard_test

import (
	"fmt"
	"strconv"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/setup"
)

func dryCreate(t *testing.T, object client.Object) error {
	t.Helper()
	return cluster.Client.Create(t.Context(), object, client.DryRunAll)
}

func dryUpdate(t *testing.T, object client.Object) error {
	t.Helper()
	return cluster.Client.Update(t.Context(), object, client.DryRunAll)
}

func edited[T client.Object](object T, change func(T)) T {
	object = object.DeepCopyObject().(T)
	change(object)
	return object
}

func baseline(list ...string) func(*v1beta1.MCPExternalAuthConfig) {
	return func(c *v1beta1.MCPExternalAuthConfig) { c.Spec.EmbeddedAuthServer.BaselineClientScopes = list }
}

func refusalOf(t *testing.T, err error) setup.Refusal {
	t.Helper()
	refusal, refused := setup.AsRefusal(err)
	if err != nil && !refused {
		t.Fatal(err)
	}
	return refusal
}

// TestNotJudged makes requests that no policy may reject, although the baseline is not
// supported. TestEquivalence makes edits at random.
func TestNotJudged(t *testing.T) {
	config, server := sample.Config("", "bad", "openid", "admin"), sample.Server("", "web", sample.AuthServerRef("bad", "openid"))
	server.Finalizers = []string{"example.com/hold"}
	ns := stored(t, guard.ModeStrict, config, server)
	status := edited(server, func(s *v1beta1.MCPServer) {
		s.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "False", Reason: "Test", LastTransitionTime: metav1.Now()}}
	})
	for name, err := range map[string]error{
		"a finalizer goes":    dryUpdate(t, edited(server, func(s *v1beta1.MCPServer) { s.Finalizers = nil })),
		"a status":            cluster.Client.Status().Update(t.Context(), status, client.DryRunAll),
		"a config goes":       cluster.Client.Delete(t.Context(), config.DeepCopy(), client.DryRunAll),
		"no spec at all":      dryCreate(t, withoutSpec("VirtualMCPServer", ns)),
		"config without spec": dryCreate(t, withoutSpec("MCPExternalAuthConfig", ns)),
	} {
		t.Run(name, func(t *testing.T) { expect.Equal(t, "", setup.Refusal{}, refusalOf(t, err)) })
	}
}

// withoutSpec returns an object that has no spec, which the CRDs allow.
func withoutSpec(kind, namespace string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(kind))
	object.SetNamespace(namespace)
	object.SetName("without-spec")
	return object
}

// TestPodsOfARefusedTemplate edits an MCPServer that was judged: the ReplicaSet of the
// judged generation tries again, before the manager has judged the new one.
func TestPodsOfARefusedTemplate(t *testing.T) {
	server := sample.Server("", "web", sample.AuthServerRef("shared"))
	stored(t, guard.ModeEnforce, server)
	expect.NoError(t, setup.Judge(t.Context(), cluster.Client, server, metav1.ConditionFalse))
	cluster.Patch(t, server, `{"spec":{"groupRef":{"name":"other"}}}`)
	settle(t)
	for generation, want := range map[int64]string{server.Generation - 1: guard.PodsOfMCPServersPolicy, server.Generation: ""} {
		pod := setup.Pod(server)
		pod.Annotations = map[string]string{toolhive.GenerationAnnotation: strconv.FormatInt(generation, 10)}
		expect.Equal(t, fmt.Sprintf("generation %d", generation), want, refusalOf(t, dryCreate(t, pod)).Policy)
	}
}

// TestPodsOfAnotherGeneration lets each kind of consumer be judged for the generation
// before, as after an edit while no manager runs.
func TestPodsOfAnotherGeneration(t *testing.T) {
	server, proxy := sample.Server("", "web", sample.AuthServerRef("shared")), sample.Proxy("", "web", sample.AuthServerRef("shared"))
	virtual := sample.Virtual("", "web", sample.AuthServer())
	stored(t, guard.ModeEnforce, server, proxy, virtual)
	for policy, consumer := range map[string]client.Object{
		guard.PodsOfMCPServersPolicy: server, guard.PodsOfMCPRemoteProxiesPolicy: proxy, guard.PodsOfVirtualMCPServersPolicy: virtual,
	} {
		t.Run(policy, func(t *testing.T) {
			judge := func(verdict metav1.ConditionStatus) {
				t.Helper()
				expect.NoError(t, setup.Judge(t.Context(), cluster.Client, consumer, verdict))
				settle(t)
			}
			refused := func(want string) {
				t.Helper()
				expect.Equal(t, "", want, refusalOf(t, dryCreate(t, setup.Pod(consumer))).Policy)
			}
			refused("")
			judge(metav1.ConditionFalse)
			refused(policy)
			cluster.Patch(t, consumer, `{"spec":{"groupRef":{"name":"other"}}}`)
			settle(t)
			refused("")
			judge(metav1.ConditionFalse)
			refused(policy)
			for _, verdict := range []metav1.ConditionStatus{metav1.ConditionUnknown, metav1.ConditionTrue} {
				judge(verdict)
				refused("")
			}
		})
	}
}
