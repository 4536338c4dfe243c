package plugin_test

import (
	"os/exec"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/lint"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// TestGuard runs tree and guard check on ToolHive's CRDs, before the guard is installed
// and with it. The Deployments are as ToolHive's operator makes them.
func TestGuard(t *testing.T) {
	guarded.Create(t, objects()...)
	c, d := "team-c", "team-d"
	guarded.Create(t, namespace(c, map[string]string{guard.ModeLabel: guard.ModeOff}),
		sample.Config(c, "shared", "admin"),
		sample.Server(c, "off", sample.AuthServerRef("shared")),
		namespace(d, nil),
		sample.Config(d, "shared", "admin"), sample.Config(d, "other"), sample.OutgoingConfig(d, "outgoing"), sample.OIDCConfig(d, "oidc"),
		sample.Server(d, "both", both("shared", "outgoing")),
	)
	deploy(t, sample.Server("team-a", "good", v1alpha1.AuthReferences{}), "good", 1)
	deploy(t, sample.Server("team-a", "good", v1alpha1.AuthReferences{}), "another", 0)
	deploy(t, sample.Server("team-a", "bad", v1alpha1.AuthReferences{}), "bad", 1)
	deploy(t, sample.Proxy("team-a", "docs", v1alpha1.AuthReferences{}), "docs", 1)
	deploy(t, sample.Virtual("team-b", "hub", nil), "hub", 0)

	golden(t, "toolhive.txt", succeed(t, guarded, "tree", "-A"))
	golden(t, "guard-before.txt", findings(t, "-A"))

	label(t, "team-a", guard.ModeEnforce)
	label(t, "team-b", "deny")
	install(t, "../../config/guard")
	guarded.StartGuard(t)
	refuse(t, sample.Server("team-a", "bad", v1alpha1.AuthReferences{}))
	golden(t, "toolhive-held.txt", succeed(t, guarded, "tree", "-n", "team-a"))
	expect.Contains(t, succeed(t, guarded, "tree", "-n", "team-a", "-o", "json"),
		`"reason": "ReplicaFailure"`, `denied request: MCPServer \"bad\": scope \"offline_access\" is not supported`)
	golden(t, "guard-after.txt", findings(t, "-A"))
	golden(t, "guard-after.json", findings(t, "-n", "team-a", "-o", "json"))
	golden(t, "guard-default-scopes.txt", findings(t, "-n", "team-b", "--default-scopes", "admin root openid"))

	// The config that the manager stores for its check is shown only to those who ask
	// for it.
	guarded.Create(t, sample.Config(guard.CanaryNamespace, guard.CanaryNamespace, "openid"))
	expect.Contains(t, succeed(t, guarded, "tree", "-n", guard.CanaryNamespace), "MCPExternalAuthConfig/"+guard.CanaryNamespace)
	if got := succeed(t, guarded, "tree", "-A"); strings.Contains(got, guard.CanaryNamespace) {
		t.Errorf("tree -A shows the namespace %s:\n%s", guard.CanaryNamespace, got)
	}
	if got := kubectl(t.Context(), guarded, "guard", "check", "-n", "default", "--strict"); got.code != 0 {
		t.Errorf("a namespace without findings: got %+v, want exit status 0", got)
	}

	for _, mode := range []string{guard.ModeEnforce, guard.ModeStrict} {
		install(t, "testdata/guard-"+mode)
		expect.Contains(t, findings(t, "-n", d), "default mode: "+mode+"\n", "pairs in mode "+mode+": 1\n")
	}
	testLint(t, d)
}

// testLint checks that lint --guard reports a baseline if and only if the policies
// reject the consumer in a namespace in mode strict.
func testLint(t *testing.T, namespace string) {
	t.Helper()
	withoutOIDC := sample.AuthServerRef("shared")
	withoutOIDC.OIDCConfigRef = nil
	create := func(references v1alpha1.AuthReferences) func() error {
		return func() error {
			return guarded.Client.Create(t.Context(), sample.Server(namespace, "tried", references), client.DryRunAll)
		}
	}
	expect.NoError(t, setup.AwaitRefusal(t.Context(), guard.ConsumersPolicy, create(sample.AuthServerRef("shared"))))
	for name, references := range map[string]v1alpha1.AuthReferences{
		"bad":                        sample.AuthServerRef("shared"),
		"bad for other requests":     sample.ExternalAuthConfigRef("shared"),
		"good":                       sample.AuthServerRef("shared", "admin"),
		"no oidcConfigRef":           withoutOIDC,
		"config is missing":          sample.AuthServerRef("gone"),
		"and an outgoing config":     both("shared", "outgoing"),
		"and a config that is good":  both("shared", "other"),
		"and a config that is bad":   both("other", "shared"),
		"and the same config":        both("shared", "shared"),
		"and a config that is gone":  both("shared", "gone"),
		"and an outgoing one, first": both("outgoing", "shared"),
	} {
		t.Run("lint, "+name, func(t *testing.T) {
			_, rejected := setup.AsRefusal(create(references)())
			text := manifest(t, sample.Config(namespace, "shared", "admin"), sample.Config(namespace, "other"), sample.OutgoingConfig(namespace, "outgoing"),
				sample.OIDCConfig(namespace, "oidc"), sample.Server(namespace, "tried", references))
			report, err := lint.Lint(t.Context(), []lint.Source{{Name: "input", Text: text}}, lint.Options{Guard: true})
			expect.NoError(t, err)
			reported := false
			for _, finding := range report.Findings {
				reported = reported || finding.Rule == "baseline/not-supported"
			}
			if reported != rejected {
				t.Errorf("the policies reject: %t, lint reports: %t, %+v", rejected, reported, report.Findings)
			}
		})
	}
}

// both returns two references, of which the second is externalAuthConfigRef.
func both(authServer, external string) v1alpha1.AuthReferences {
	references := sample.AuthServerRef(authServer)
	references.ExternalAuthConfigRef = sample.ExternalAuthConfigRef(external).ExternalAuthConfigRef
	return references
}

func manifest(t *testing.T, objects ...client.Object) []byte {
	t.Helper()
	var all []byte
	for _, object := range objects {
		gvk, err := apiutil.GVKForObject(object, operator.Scheme)
		expect.NoError(t, err)
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		expect.NoError(t, err)
		content["apiVersion"], content["kind"] = gvk.GroupVersion().String(), gvk.Kind
		text, err := yaml.Marshal(content)
		expect.NoError(t, err)
		all = append(append(all, "---\n"...), text...)
	}
	return all
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
	command := exec.CommandContext(t.Context(), guarded.KubectlPath, "apply", "--server-side", "-k", folder) //nolint:gosec // The pinned binary.
	command.Env = environment(guarded)
	expect.Output(t, command)
}

func label(t *testing.T, namespace, mode string) {
	t.Helper()
	expect.NoError(t, setup.SetMode(t.Context(), guarded.Client, namespace, mode))
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
