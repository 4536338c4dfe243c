package plugin_test

import (
	"os/exec"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testenv"
)

// TestGuard shows the tree and takes stock on ToolHive's CRDs, before the guard
// is there and with it. The ConfigMaps and Deployments are as ToolHive's operator
// makes them.
func TestGuard(t *testing.T) {
	create(t, guarded, objects()...)
	c := "team-c"
	create(t, guarded, namespace(c, map[string]string{"scopegate.dev/guard": "off"}),
		testenv.Config(c, "shared", "admin"),
		testenv.Server(c, "fresh", testenv.AuthServerRef("shared", "admin")),
		testenv.Server(c, "off", testenv.AuthServerRef("shared")),
	)
	good := runConfig("openid", "openid")
	bad := runConfig("admin", "openid")
	artefacts(t, "team-a", "MCPServer", "good", map[string]string{"runconfig.json": good}, 1)
	artefacts(t, "team-a", "MCPServer", "bad", map[string]string{"runconfig.json": good}, 1)
	artefacts(t, "team-a", "MCPRemoteProxy", "docs", map[string]string{"runconfig.json": "{"}, 1)
	artefacts(t, "team-b", "VirtualMCPServer", "defaults", map[string]string{"config.yaml": "{}", "authserver-config.yaml": "baseline_client_scopes:\n    - admin\n    - root\n"}, 0)
	artefacts(t, "team-b", "VirtualMCPServer", "hub", map[string]string{"authserver-config.yaml": "issuer: https://auth.example.com\n"}, 0)
	artefacts(t, c, "MCPServer", "off", map[string]string{"runconfig.json": bad}, 1)

	golden(t, "toolhive.txt", succeed(t, guarded, "tree", "-A"))
	before := kubectl(t.Context(), guarded, "guard", "check", "-A")
	if before.code != 1 || before.stderr != "" {
		t.Errorf("got %+v, want exit status 1", before)
	}
	golden(t, "guard-before.txt", before.stdout)

	install(t)
	golden(t, "toolhive-held.txt", succeed(t, guarded, "tree", "-n", "team-a"))
	after := kubectl(t.Context(), guarded, "guard", "check", "-A")
	if after.code != 1 || after.stderr != "" {
		t.Errorf("got %+v, want exit status 1", after)
	}
	golden(t, "guard-after.txt", after.stdout)
	golden(t, "guard-after.json", kubectl(t.Context(), guarded, "guard", "check", "-n", "team-a", "-o", "json").stdout)

	if got := kubectl(t.Context(), guarded, "guard", "check", "-n", "default", "--strict"); got.code != 0 {
		t.Errorf("a namespace without findings: got %+v, want exit status 0", got)
	}
}

// install installs one of the guard's policies, holds a workload as the lock does, and
// exempts others.
func install(t *testing.T) {
	t.Helper()
	command := exec.CommandContext(t.Context(), guarded.KubectlPath, "apply", "-f", "../../config/guard/policies/scopegate-consumers.yaml") //nolint:gosec // The pinned binary.
	command.Env = environment(guarded)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	create(t, guarded, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "scopegate-system", Name: "scopegate-guard"},
		Data:       map[string]string{"mode": "warn", "exempt": "VirtualMCPServer/team-b/defaults\nMCPServer/team-b/gone\nnonsense\n"},
	})
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "bad-config"}}
	if err := guarded.Client.Patch(t.Context(), held, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"scopegate.dev/held":"true"}}}`))); err != nil {
		t.Fatal(err)
	}
}

// runConfig is a run config of a proxy, as ToolHive's operator writes it.
func runConfig(baseline, supported string) string {
	return `{"schema_version":"v0.1.0","image":"example.com/mcp:1","embedded_auth_server_config":{` +
		`"baseline_client_scopes":["` + baseline + `"],"scopes_supported":["` + supported + `"]}}`
}

// artefacts stores what ToolHive's operator makes for a consumer: a ConfigMap
// and a Deployment, of which so many replicas run.
func artefacts(t *testing.T, namespace, kind, name string, data map[string]string, running int32) {
	t.Helper()
	var owner client.Object = testenv.Server(namespace, name, testenv.AuthServerRef(""))
	component := "run-config"
	switch kind {
	case "MCPRemoteProxy":
		owner = testenv.Proxy(namespace, name, testenv.AuthServerRef(""))
	case "VirtualMCPServer":
		owner, component = testenv.Virtual(namespace, name, nil), "vmcp-config"
	}
	if err := guarded.Client.Get(t.Context(), client.ObjectKeyFromObject(owner), owner); err != nil {
		t.Fatal(err)
	}
	gvk, err := apiutil.GVKForObject(owner, operator.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	owners := []metav1.OwnerReference{*metav1.NewControllerRef(owner, gvk)}
	labels := map[string]string{"app": strings.ToLower(kind) + "-" + name}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, OwnerReferences: owners},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "example.com/proxy:1"}}},
			},
		},
	}
	create(t, guarded, deployment, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name + "-config", OwnerReferences: owners,
			Labels: map[string]string{"toolhive.stacklok.io/component": component, "toolhive.stacklok.io/managed-by": "toolhive-operator"},
		},
		Data: data,
	})
	deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: deployment.Generation, Replicas: running, UpdatedReplicas: running, ReadyReplicas: running, AvailableReplicas: running}
	if err := guarded.Client.Status().Update(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
}
