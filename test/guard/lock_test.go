package guard_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// Run configs as ToolHive writes them, but for what the lock does not read.
const (
	section = `{
  "schema_version": "v0.1.0",
  "image": %q,
  "embedded_auth_server_config": {
    "schema_version": "v0.1.0",
    "issuer": "https://auth.example.com",
    "scopes_supported": [
      "openid",
      "mcp:read"
    ],
    "baseline_client_scopes": [
      "openid",
      %q
    ],
    "allowed_audiences": null
  }
}`
	virtualYAML = "schema_version: v0.1.0\nissuer: https://auth.example.com\nbaseline_client_scopes:\n    - openid\n    - %s\nallowed_audiences: []\n"
)

func runConfig(scope string) map[string]string {
	return map[string]string{"runconfig.json": fmt.Sprintf(section, "image", scope)}
}

// missingAdmin is what is said of runConfig("admin").
const missingAdmin = `scope "admin" of baseline_client_scopes is not supported by the auth server of MCPServer "web": it is not in scopes_supported`

// locked makes a namespace in a mode, with the lock in the API server.
func locked(t *testing.T, mode string) string {
	t.Helper()
	installLock(t)
	name, err := setup.Namespace(t.Context(), cluster.Client, mode)
	if err != nil {
		t.Fatal(err)
	}
	settleLock(t, name, mode)
	return name
}

// installLock applies the files that users get, once.
var installLock = func() func(*testing.T) {
	var once sync.Once
	return func(t *testing.T) {
		once.Do(func() {
			ctx, c := context.Background(), cluster.Client
			objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guard.ParametersNamespace}}, parameters(nil)}
			for _, object := range append(objects, guard.Lock()...) {
				// An expression that can't be evaluated is to be seen.
				switch policy := object.(type) {
				case *admissionv1.ValidatingAdmissionPolicy:
					policy.Spec.FailurePolicy = ptr.To(admissionv1.Fail)
				case *admissionv1.MutatingAdmissionPolicy:
					policy.Spec.FailurePolicy = ptr.To(admissionv1.Fail)
				}
				if err := c.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
					t.Fatal(err)
				}
			}
		})
	}
}()

func parameters(data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: guard.ParametersName, Namespace: guard.ParametersNamespace}, Data: data}
}

// settleLock waits until the lock does in the namespace what its mode says.
func settleLock(t *testing.T, namespace, mode string) {
	t.Helper()
	c, warnings := setup.Client(t, cluster)
	poll(t, "the lock in mode "+mode, func() bool {
		warnings.Texts = nil
		err := c.Create(t.Context(), artefact(namespace, "canary", runConfig("admin")), client.DryRunAll)
		switch mode {
		case guard.ModeDeny:
			// A policy that is not ready refuses as well, and says nothing of the scope.
			if refusal, _ := setup.AsRefusal(err); !strings.Contains(refusal.Message, `"admin"`) {
				return false
			}
			// The policies that hold are read like the one that refuses, but by
			// another informer.
			return heldByDryRun(t, namespace)
		case guard.ModeOff:
			return err == nil && len(warnings.Texts) == 0
		default:
			return err == nil && len(warnings.Texts) == 1
		}
	})
}

// heldByDryRun tells whether an update is held, and warned of, by trying.
func heldByDryRun(t *testing.T, namespace string) bool {
	t.Helper()
	good := artefact(namespace, "canary", runConfig("openid"))
	if err := cluster.Client.Create(t.Context(), good); err != nil && !apierrors.IsAlreadyExists(err) {
		return false
	}
	c, warnings := setup.Client(t, cluster)
	bad := artefact(namespace, "canary", runConfig("admin"))
	err := c.Update(t.Context(), bad, client.DryRunAll)
	return err == nil && bad.Labels[guard.HeldLabel] == "true" && len(warnings.Texts) == 1
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return ok(), nil })
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// artefact is a ConfigMap as ToolHive's operator writes it for an MCPServer.
func artefact(namespace, server string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: server + "-runconfig", Namespace: namespace,
			Labels:          map[string]string{"toolhive.stacklok.io/component": "run-config"},
			Annotations:     map[string]string{"toolhive.stacklok.dev/content-checksum": fmt.Sprintf("%x", sha256.Sum256([]byte(fmt.Sprint(data))))},
			OwnerReferences: []metav1.OwnerReference{ownedBy("MCPServer", server)},
		},
		Data: data,
	}
}

func ownedBy(kind, name string) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "toolhive.stacklok.dev/v1beta1", Kind: kind, Name: name, UID: types.UID("uid-of-" + kind + name), Controller: ptr.To(true)}
}

// changed returns a copy that a function changed.
func changed[T client.Object](object T, change func(T)) T {
	object = object.DeepCopyObject().(T)
	change(object)
	return object
}

// TestLockCreation creates ConfigMaps of every kind, in mode deny.
func TestLockCreation(t *testing.T) {
	ns := locked(t, guard.ModeDeny)
	web := func(data map[string]string) *corev1.ConfigMap { return artefact(ns, "web", data) }
	virtual := func(scope string) *corev1.ConfigMap {
		return changed(web(map[string]string{"config.yaml": "baseline_client_scopes: [x]", "authserver-config.yaml": fmt.Sprintf(virtualYAML, scope)}), func(c *corev1.ConfigMap) {
			c.Name, c.OwnerReferences = "web-vmcp-config", []metav1.OwnerReference{ownedBy("VirtualMCPServer", "web")}
		})
	}
	const unreadable = "can't be read for sure"
	for name, tc := range map[string]struct {
		object *corev1.ConfigMap
		want   string
	}{
		"supported":                 {web(runConfig("mcp:read")), ""},
		"not supported":             {web(runConfig("admin")), missingAdmin},
		"no auth server":            {web(map[string]string{"runconfig.json": "{\n  \"schema_version\": \"v0.1.0\"\n}"}), ""},
		"another key":               {web(map[string]string{"config.json": runConfig("admin")["runconfig.json"]}), ""},
		"compact":                   {web(map[string]string{"runconfig.json": `{"embedded_auth_server_config":{"baseline_client_scopes":["openid"]}}`}), unreadable},
		"schema unknown":            {web(map[string]string{"runconfig.json": strings.ReplaceAll(runConfig("openid")["runconfig.json"], "v0.1.0", "v0.2.0")}), unreadable},
		"in binaryData":             {changed(web(nil), func(c *corev1.ConfigMap) { c.BinaryData = map[string][]byte{"runconfig.json": []byte("{}")} }), unreadable},
		"defaults":                  {virtual("email"), ""},
		"not among the defaults":    {virtual("admin"), `scope "admin" of baseline_client_scopes is not supported by the auth server of VirtualMCPServer "web": it is not in scopes_supported, whose defaults apply`},
		"by owner alone":            {changed(web(runConfig("admin")), func(c *corev1.ConfigMap) { c.Labels = nil }), missingAdmin},
		"by label alone":            {changed(web(runConfig("admin")), func(c *corev1.ConfigMap) { c.OwnerReferences = nil }), `of ConfigMap "web-runconfig"`},
		"somebody else's":           {changed(web(runConfig("admin")), func(c *corev1.ConfigMap) { c.OwnerReferences, c.Labels = nil, nil }), ""},
		"of another group":          {changed(web(runConfig("admin")), func(c *corev1.ConfigMap) { c.Labels, c.OwnerReferences[0].APIVersion = nil, "example.com/v1" }), ""},
		"owned, not controlled":     {changed(web(runConfig("admin")), func(c *corev1.ConfigMap) { c.Labels, c.OwnerReferences[0].Controller = nil, nil }), ""},
		"large":                     {web(map[string]string{"runconfig.json": fmt.Sprintf(section, strings.Repeat("x", 900_000), "admin")}), missingAdmin},
		"large and supported":       {web(map[string]string{"runconfig.json": fmt.Sprintf(section, strings.Repeat("x", 900_000), "openid")}), ""},
		"large, with many lines":    {web(map[string]string{"runconfig.json": fmt.Sprintf(section, "x", "admin") + strings.Repeat("\n", 900_000)}), missingAdmin},
		"large YAML":                {changed(virtual("email"), func(c *corev1.ConfigMap) { c.Data["authserver-config.yaml"] += strings.Repeat("# x\n", 225_000) }), unreadable},
		"large with escapes":        {web(map[string]string{"runconfig.json": strings.Repeat(`\u0065`, 150_000)}), unreadable},
		"large and about scopes":    {web(map[string]string{"runconfig.json": strings.Repeat(`"embedded_auth_server_config": baseline_client_scopes`, 17_000)}), unreadable},
		"large without its subject": {web(map[string]string{"runconfig.json": strings.Repeat(" x\n", 300_000)}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			refusal := refusalOf(t, cluster.Client.Create(t.Context(), tc.object, client.DryRunAll))
			if tc.want == "" && refusal == (setup.Refusal{}) {
				return
			}
			if refusal.Policy != guard.LockDeny || tc.want == "" || !strings.Contains(refusal.Message, tc.want) {
				t.Errorf("got %+v, want %q", refusal, tc.want)
			}
		})
	}
}

// TestLockModes creates the same ConfigMap by every label of a namespace and
// every parameter.
func TestLockModes(t *testing.T) {
	const denied, warned, silent = "denied", "warned", "silent"
	all := func(mode, exempt string) map[string]string { return map[string]string{"mode": mode, "exempt": exempt} }
	for name, tc := range map[string]struct {
		label  string
		params map[string]string
		want   string
	}{
		"nothing set":            {"", map[string]string{}, warned},
		"no data":                {"", nil, warned},
		"deny by parameter":      {"", all("deny", ""), denied},
		"with a line break":      {"", all("deny\n", ""), denied},
		"with white space":       {"", all("\r\n deny\t\r\n", ""), denied},
		"misspelt":               {"", all("denied", ""), warned},
		"the label says warn":    {"warn", all("deny", ""), warned},
		"the label says deny":    {"deny", all("warn", ""), denied},
		"the label says off":     {"off", all("deny", ""), silent},
		"the label is misspelt":  {"Off", all("deny", ""), denied},
		"exempt":                 {"deny", all("", "MCPServer/NAMESPACE/web"), silent},
		"exempt, among others":   {"deny", all("", "# at night\r\n  MCPServer/x/y\r\n\tMCPServer/NAMESPACE/web \r\n"), silent},
		"exempt by ConfigMap":    {"deny", all("", "ConfigMap/NAMESPACE/web-runconfig"), silent},
		"another one exempt":     {"deny", all("", "MCPServer/NAMESPACE/web2\nMCPRemoteProxy/NAMESPACE/web\nMCPServer/default/web"), denied},
		"exempt where it warns":  {"warn", all("", "MCPServer/NAMESPACE/web"), silent},
		"defaults are not asked": {"deny", map[string]string{"defaultScopes": "admin"}, denied},
	} {
		t.Run(name, func(t *testing.T) {
			ns := locked(t, tc.label)
			for key := range tc.params {
				tc.params[key] = strings.ReplaceAll(tc.params[key], "NAMESPACE", ns)
			}
			setParameters(t, ns, tc.params)
			c, warnings := setup.Client(t, cluster)
			got := silent
			if err := c.Create(t.Context(), artefact(ns, "web", runConfig("admin")), client.DryRunAll); err != nil {
				refusalOf(t, err)
				got = denied
			} else if len(warnings.Texts) > 0 {
				got = warned
			}
			if got != tc.want {
				t.Errorf("%s, want %s (%q)", got, tc.want, warnings.Texts)
			}
		})
	}
	t.Run("default scopes", func(t *testing.T) {
		ns := locked(t, guard.ModeDeny)
		config := func(scope string) *corev1.ConfigMap {
			return artefact(ns, "web", map[string]string{"authserver-config.yaml": fmt.Sprintf(virtualYAML, scope)})
		}
		setParameters(t, ns, map[string]string{"defaultScopes": "openid\r\n admin\tx<y null 'a'"})
		for scope, supported := range map[string]bool{"admin": true, "email": false, "x<y": true, `"null"`: true, "'''a'''": true} {
			if refusal := refusalOf(t, cluster.Client.Create(t.Context(), config(scope), client.DryRunAll)); (refusal == setup.Refusal{}) != supported {
				t.Errorf("%s: %+v", scope, refusal)
			}
		}
	})
}

// setParameters writes the parameters and waits until the API server has them.
func setParameters(t *testing.T, namespace string, data map[string]string) {
	t.Helper()
	t.Cleanup(func() {
		if err := cluster.Client.Update(context.WithoutCancel(t.Context()), parameters(nil)); err != nil {
			t.Error(err)
		}
	})
	// A workload that is exempt in this version alone tells that it is read.
	marker := fmt.Sprintf("marker-%d", time.Now().UnixNano())
	with := map[string]string{}
	for key, value := range data {
		with[key] = value
	}
	with["exempt"] += "\nConfigMap/" + namespace + "/" + marker
	if err := cluster.Client.Update(t.Context(), parameters(with)); err != nil {
		t.Fatal(err)
	}
	c, warnings := setup.Client(t, cluster)
	poll(t, "the parameters", func() bool {
		warnings.Texts = nil
		object := artefact(namespace, "web", runConfig("admin"))
		object.Name = marker
		return c.Create(t.Context(), object, client.DryRunAll) == nil && len(warnings.Texts) == 0
	})
}

// TestLockWithoutParameters: the lock is open, and nobody is locked out.
func TestLockWithoutParameters(t *testing.T) {
	ns := locked(t, guard.ModeDeny)
	if err := cluster.Client.Delete(t.Context(), parameters(nil)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Client.Create(context.WithoutCancel(t.Context()), parameters(nil)); err != nil {
			t.Error(err)
		}
	})
	poll(t, "the lock to open", func() bool {
		return cluster.Client.Create(t.Context(), artefact(ns, "web", runConfig("admin")), client.DryRunAll) == nil
	})
	if err := cluster.Client.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "any", Namespace: ns}}); err != nil {
		t.Errorf("locked out: %v", err)
	}
}
