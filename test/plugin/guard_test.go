package plugin_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestGuard runs tree and guard check on ToolHive's CRDs, before the guard is installed
// and with it. The ConfigMaps and Deployments are as ToolHive's operator makes them.
func TestGuard(t *testing.T) {
	guarded.Create(t, objects()...)
	c, d := "team-c", "team-d"
	both := testenv.Server(d, "both", testenv.AuthServerRef("shared"))
	both.Spec.ExternalAuthConfigRef = testenv.ExternalAuthConfigRef("outgoing").ExternalAuthConfigRef
	guarded.Create(t, namespace(c, map[string]string{"scopegate.dev/guard": "off"}),
		testenv.Config(c, "shared", "admin"),
		testenv.Server(c, "fresh", testenv.AuthServerRef("shared", "admin")),
		testenv.Server(c, "off", testenv.AuthServerRef("shared")),
		namespace(d, nil),
		testenv.Config(d, "shared", "admin"), testenv.OutgoingConfig(d, "outgoing"), both,
		testenv.Server(d, "by-hand", testenv.AuthServerRef("shared", "admin")),
		testenv.Server(d, "fresh", testenv.AuthServerRef("shared")),
	)
	good, bad := runConfig("openid", "openid"), runConfig("admin", "openid")
	makeChildren(t, "team-a", "MCPServer", "good", map[string]string{"runconfig.json": good}, 1)
	makeChildren(t, "team-a", "MCPServer", "bad", map[string]string{"runconfig.json": good}, 1)
	makeChildren(t, "team-a", "MCPRemoteProxy", "docs", map[string]string{"runconfig.json": "{"}, 1)
	makeChildren(t, "team-b", "VirtualMCPServer", "defaults", map[string]string{"config.yaml": "{}", "authserver-config.yaml": "baseline_client_scopes:\n    - admin\n    - root\n"}, 0)
	makeChildren(t, "team-b", "VirtualMCPServer", "hub", map[string]string{"authserver-config.yaml": "issuer: https://auth.example.com\n"}, 0)
	makeChildren(t, c, "MCPServer", "off", map[string]string{"runconfig.json": bad}, 1)
	makeChildren(t, d, "MCPServer", "both", map[string]string{"runconfig.json": good}, 1)
	makeChildren(t, d, "MCPServer", "by-hand", map[string]string{"runconfig.json": `{"embedded_auth_server_config":{"baseline_client_scopes":["admin"],"scopes_supported":["admin"]}}`}, 1)
	unlabel(t, d, "by-hand-config")

	golden(t, "toolhive.txt", succeed(t, guarded, "tree", "-A"))
	golden(t, "guard-before.txt", findings(t, "-A"))

	label(t, "team-a", "deny")
	install(t, "warn")
	hold(t, "team-a", "bad-config", bad)
	golden(t, "toolhive-held.txt", succeed(t, guarded, "tree", "-n", "team-a"))
	golden(t, "guard-after.txt", findings(t, "-A"))
	golden(t, "guard-after.json", findings(t, "-n", "team-a", "-o", "json"))
	golden(t, "guard-default-scopes.txt", succeed(t, guarded, "guard", "check", "-n", "team-b", "--default-scopes", "admin, root openid"))

	if got := kubectl(t.Context(), guarded, "guard", "check", "-n", "default", "--strict"); got.code != 0 {
		t.Errorf("a namespace without findings: got %+v, want exit status 0", got)
	}

	install(t, "deny")
	golden(t, "guard-deny.txt", findings(t, "-n", d))
	label(t, d, "deny")
	golden(t, "guard-deny-label.txt", findings(t, "-n", d))
	testDenied(t, d, bad)
}

// testDenied checks by dry run that the findings on a namespace that denies are
// true.
func testDenied(t *testing.T, namespace, bad string) {
	t.Helper()
	edit := func(ctx context.Context, name string) error {
		server := &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		return guarded.Client.Patch(ctx, server, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"oidcConfigRef":{"scopes":["email"]}}}`)), client.DryRunAll)
	}
	rejected := func(err error) bool {
		return err != nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'scopegate-")
	}
	expect.Eventually(t, "the edit of a pair is rejected", func(ctx context.Context) (bool, error) {
		return rejected(edit(ctx, "fresh")), nil
	})
	if err := edit(t.Context(), "both"); err != nil {
		t.Errorf("the edit of a consumer with two references: %v", err)
	}
	made := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "fresh-config", Labels: map[string]string{"toolhive.stacklok.io/component": "run-config"}},
		Data:       map[string]string{"runconfig.json": bad},
	}
	if err := guarded.Client.Create(t.Context(), made, client.DryRunAll); !rejected(err) {
		t.Errorf("creating a run config: %v", err)
	}
	hold(t, namespace, "both-config", bad)
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

// TestAnotherAPIServer reads an API server that does not support the hold, and
// that has only one of the CRDs.
func TestAnotherAPIServer(t *testing.T) {
	plane := testenv.StartForTest(t, controlplane.Options{Bare: true, APIServerArgs: map[string]string{
		"disable-admission-plugins": "MutatingAdmissionPolicy",
		"runtime-config":            "admissionregistration.k8s.io/v1/mutatingadmissionpolicies=false,admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings=false",
	}})
	reader, err := inventory.New(plane.Config, nil)
	expect.NoError(t, err)
	hidden := map[string]string{}
	installed, err := reader.Installation(t.Context(), hidden)
	if err != nil || installed.Hold != "not-available" || len(hidden) > 0 {
		t.Errorf("got %+v, %v, hidden %v; want a hold that is not available", installed, err, hidden)
	}

	if _, err := envtest.InstallCRDs(plane.Config, envtest.CRDInstallOptions{
		MaxTime: time.Minute, Paths: []string{"../../config/crd/toolhive.stacklok.dev_mcpservers.yaml"}, ErrorIfPathMissing: true,
	}); err != nil {
		t.Fatal(err)
	}
	// The schema is published a moment later.
	expect.Eventually(t, "the plugin reports the missing CRDs", func(ctx context.Context) (bool, error) {
		_, read := reader.Read(ctx, "")
		return read != nil && strings.Contains(read.Error(), "serves no MCPExternalAuthConfig"), nil
	})
}

// install installs the guard, which warns or denies by default and holds where
// namespaces are labelled deny.
func install(t *testing.T, mode string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), guarded.KubectlPath, "apply", "--server-side", "-k", filepath.Join("testdata", "guard-"+mode)) //nolint:gosec // The pinned binary.
	command.Env = environment(guarded)
	expect.Output(t, command)
}

func label(t *testing.T, namespace, mode string) {
	t.Helper()
	guarded.Patch(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, `{"metadata":{"labels":{"scopegate.dev/guard":"`+mode+`"}}}`)
}

// unlabel makes a ConfigMap look like one that somebody made by hand.
func unlabel(t *testing.T, namespace, name string) {
	t.Helper()
	guarded.Patch(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, `{"metadata":{"labels":null}}`)
}

// hold writes a run config as ToolHive's operator does, once the guard holds it.
func hold(t *testing.T, namespace, name, text string) {
	t.Helper()
	content, err := json.Marshal(map[string]any{"data": map[string]string{"runconfig.json": text}})
	expect.NoError(t, err)
	expect.Eventually(t, "the guard holds", func(ctx context.Context) (bool, error) {
		tried := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		err := guarded.Client.Patch(ctx, tried, client.RawPatch(types.MergePatchType, content), client.DryRunAll)
		return tried.Labels["scopegate.dev/held"] == "true", err
	})
	guarded.Patch(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, string(content))
}

func runConfig(baseline, supported string) string {
	return `{
  "schema_version": "v0.1.0",
  "image": "example.com/mcp:1",
  "embedded_auth_server_config": {
    "schema_version": "v0.1.0",
    "scopes_supported": [
      "` + supported + `"
    ],
    "baseline_client_scopes": [
      "` + baseline + `"
    ]
  }
}`
}

// makeChildren stores what ToolHive's operator makes for a consumer: a
// ConfigMap, and a Deployment with the given number of running replicas.
func makeChildren(t *testing.T, namespace, kind, name string, data map[string]string, running int32) {
	t.Helper()
	var owner client.Object = testenv.Server(namespace, name, testenv.AuthServerRef(""))
	component := "run-config"
	switch kind {
	case "MCPRemoteProxy":
		owner = testenv.Proxy(namespace, name, testenv.AuthServerRef(""))
	case "VirtualMCPServer":
		owner, component = testenv.Virtual(namespace, name, nil), "vmcp-config"
	}
	guarded.Get(t, owner)
	gvk, err := apiutil.GVKForObject(owner, operator.Scheme)
	expect.NoError(t, err)
	owners := []metav1.OwnerReference{*metav1.NewControllerRef(owner, gvk)}
	deployment := testenv.Deployment(namespace, name, map[string]string{"app": strings.ToLower(kind) + "-" + name})
	deployment.OwnerReferences = owners
	guarded.Create(t, deployment, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name + "-config", OwnerReferences: owners,
			Labels: map[string]string{"toolhive.stacklok.io/component": component, "toolhive.stacklok.io/managed-by": "toolhive-operator"},
		},
		Data: data,
	})
	deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: deployment.Generation, Replicas: running, UpdatedReplicas: running, ReadyReplicas: running, AvailableReplicas: running}
	expect.NoError(t, guarded.Client.Status().Update(t.Context(), deployment))
}
