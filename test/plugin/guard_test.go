package plugin_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// TestGuard runs tree and guard check on ToolHive's CRDs, before the guard is installed
// and with it. The Deployments are as ToolHive's operator makes them.
func TestGuard(t *testing.T) {
	guarded.Create(t, objects()...)
	c, d, both := "team-c", "team-d", sample.AuthServerRef("shared")
	both.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: "outgoing"}
	guarded.Create(t, namespace(c, map[string]string{guard.ModeLabel: guard.ModeOff}),
		sample.Config(c, "shared", "admin"),
		sample.Server(c, "off", sample.AuthServerRef("shared")),
		namespace(d, nil),
		sample.Config(d, "shared", "admin"), sample.Config(d, "other"), sample.OutgoingConfig(d, "outgoing"), sample.OIDCConfig(d, "oidc"),
		sample.Server(d, "both", both),
	)
	deploy(t, sample.Server("team-a", "good", v1alpha1.AuthReferences{}), "good", 1)
	deploy(t, sample.Server("team-a", "good", v1alpha1.AuthReferences{}), "another", 0)
	deploy(t, sample.Server("team-a", "bad", v1alpha1.AuthReferences{}), "bad", 1)
	deploy(t, sample.Proxy("team-a", "docs", v1alpha1.AuthReferences{}), "docs", 1)
	deploy(t, sample.Virtual("team-b", "hub", nil), "hub", 0)

	golden(t, "toolhive.txt", succeed(t, guarded, "tree", "-A"))
	golden(t, "guard-before.txt", findings(t, "-A"))

	expect.NoError(t, setup.SetMode(t.Context(), guarded.Client, "team-a", guard.ModeEnforce))
	expect.NoError(t, setup.SetMode(t.Context(), guarded.Client, "team-b", "deny"))
	install(t, "../../config/guard")
	guarded.StartGuard(t)
	refuse(t, sample.Server("team-a", "bad", v1alpha1.AuthReferences{}))
	golden(t, "toolhive-held.txt", succeed(t, guarded, "tree", "-n", "team-a"))
	expect.Contains(t, succeed(t, guarded, "tree", "-n", "team-a", "-o", "json"),
		`"reason": "ReplicaFailure"`, `denied request: MCPServer \"bad\": scope \"offline_access\" is not supported`)
	golden(t, "guard-after.txt", findings(t, "-A"))
	golden(t, "guard-after.json", findings(t, "-n", "team-a", "-o", "json"))
	golden(t, "guard-default-scopes.txt", findings(t, "-n", "team-b", "--default-scopes", "admin root openid"))
	expect.Contains(t, succeed(t, guarded, "tree", "-n", "team-b", "--default-scopes", "admin root openid"), " admin,root,openid ")

	// The config that the manager stores for its check is shown only to those who ask
	// for it.
	guarded.Create(t, sample.Config(guard.CanaryNamespace, guard.CanaryNamespace, "openid"),
		sample.Server(guard.CanaryNamespace, "web", sample.AuthServerRef(guard.CanaryNamespace, "openid")))
	expect.Contains(t, succeed(t, guarded, "tree", "-n", guard.CanaryNamespace), "MCPExternalAuthConfig/"+guard.CanaryNamespace)
	if got := succeed(t, guarded, "tree", "-A"); strings.Contains(got, guard.CanaryNamespace) {
		t.Errorf("tree -A shows the namespace %s:\n%s", guard.CanaryNamespace, got)
	}
	guarded.Create(t, namespace("warned", nil), sample.Server("warned", "lost", sample.AuthServerRef("gone")),
		namespace("noted", map[string]string{guard.ModeLabel: guard.ModeOff}), sample.Config("noted", "shared"), sample.Server("noted", "off", sample.AuthServerRef("shared")))
	for name, codes := range map[string][]int{"default": {0, 0}, "noted": {0, 0}, "warned": {0, 1}, d: {1, 1}} {
		for i, flag := range []string{"--strict=false", "--strict"} {
			if got := kubectl(t.Context(), guarded, "guard", "check", "-n", name, flag); got.code != codes[i] {
				t.Errorf("namespace %s, %s: got %+v, want exit status %d", name, flag, got, codes[i])
			}
		}
	}

	for _, mode := range []string{guard.ModeEnforce, guard.ModeStrict} {
		install(t, "testdata/guard-"+mode)
		golden(t, "guard-"+mode+".txt", findings(t, "-n", d))
	}
}

// findings returns the output of guard check, which must find errors.
func findings(t *testing.T, arguments ...string) string {
	t.Helper()
	got := kubectl(t.Context(), guarded, append([]string{"guard", "check"}, arguments...)...)
	if got.code != 1 || got.stderr != "" {
		t.Errorf("%v: got %+v, want exit status 1", arguments, got)
	}
	return got.stdout
}

// install installs the guard.
func install(t *testing.T, folder string) {
	t.Helper()
	_, stderr, err := guarded.Kubectl(t.Context(), nil, "apply", "--server-side", "-k", folder)
	if err != nil {
		t.Fatalf("installing %s: %v\n%s", folder, err, stderr)
	}
}

// refuse waits until the guard refuses a pod of a consumer, and reports that in its
// Deployment, as Kubernetes does.
func refuse(t *testing.T, consumer client.Object) {
	t.Helper()
	var refusal error
	expect.NoError(t, setup.AwaitRefusal(t.Context(), guard.PodsOfMCPServersPolicy, func() error {
		refusal = guarded.Client.Create(t.Context(), setup.Pod(consumer), client.DryRunAll)
		return refusal
	}))
	deployment := sample.Deployment(consumer.GetNamespace(), consumer.GetName(), nil)
	guarded.Get(t, deployment)
	deployment.Status.Conditions = []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: refusal.Error(),
	}}
	expect.NoError(t, guarded.Client.Status().Update(t.Context(), deployment))
}

// deploy creates a Deployment of a consumer, with the given number of running
// replicas.
func deploy(t *testing.T, consumer client.Object, name string, running int32) {
	t.Helper()
	guarded.Get(t, consumer)
	gvk, err := apiutil.GVKForObject(consumer, operator.Scheme)
	expect.NoError(t, err)
	deployment := sample.Deployment(consumer.GetNamespace(), name, map[string]string{"app": strings.ToLower(gvk.Kind) + "-" + name})
	deployment.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(consumer, gvk)}
	guarded.Create(t, deployment)
	deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: deployment.Generation, Replicas: running, UpdatedReplicas: running, ReadyReplicas: running, AvailableReplicas: running}
	expect.NoError(t, guarded.Client.Status().Update(t.Context(), deployment))
}
