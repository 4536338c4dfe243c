package guard_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
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

func refusalOf(t *testing.T, err error) setup.Refusal {
	t.Helper()
	refusal, refused := setup.AsRefusal(err)
	if err != nil && !refused {
		t.Fatal(err)
	}
	return refusal
}

func deniedBy(policy, message string) setup.Refusal {
	return setup.Refusal{Policy: policy, Binding: policy + "-deny", Message: message}
}

// TestMessages compares the whole text of each rejection: the pair, the first
// offending scope and how many more, and the fix.
func TestMessages(t *testing.T) {
	ns := namespace(t, guard.ModeDeny)
	good, server := testenv.Config(ns, "good", "openid"), testenv.Server(ns, "web", testenv.AuthServerRef("good", "openid"))
	plain, proxy := testenv.Config(ns, "plain", "openid"), testenv.Proxy(ns, "remote", testenv.ExternalAuthConfigRef("plain"))
	store(t, ns, guard.ModeDeny, good, server, plain, proxy)

	for name, tc := range map[string]struct {
		err  error
		want setup.Refusal
	}{
		"config of a server": {
			dryUpdate(t, edited(good, func(c *v1beta1.MCPExternalAuthConfig) {
				c.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"openid", "tools:read", "tools:write"}
			})),
			deniedBy("scopegate-configs-for-mcpservers", `scope "tools:read" (and 1 more) of spec.embeddedAuthServer.baselineClientScopes of MCPExternalAuthConfig "good" `+
				`is not supported by the auth server of MCPServer "web": it is not in its spec.oidcConfigRef.scopes: add it there, or remove it from baselineClientScopes`),
		},
		"config of a proxy with defaults": {
			dryUpdate(t, edited(plain, func(c *v1beta1.MCPExternalAuthConfig) {
				c.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"admin"}
			})),
			deniedBy("scopegate-configs-for-mcpremoteproxies", `scope "admin" of spec.embeddedAuthServer.baselineClientScopes of MCPExternalAuthConfig "plain" `+
				`is not supported by the auth server of MCPRemoteProxy "remote": its spec.oidcConfigRef.scopes is empty, so only the defaults are (openid, profile, email, offline_access): `+
				`list every scope that it needs there, or remove it from baselineClientScopes`),
		},
		"server": {
			dryUpdate(t, edited(server, func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef.Scopes = []string{"OpenID"} })),
			deniedBy("scopegate-consumers", `scope "openid" of spec.embeddedAuthServer.baselineClientScopes of MCPExternalAuthConfig "good" `+
				`is not supported by the auth server of MCPServer "web": it is not in its spec.oidcConfigRef.scopes: add it there, or remove it from baselineClientScopes`),
		},
		"new proxy": {
			dryCreate(t, testenv.Proxy(ns, "new", testenv.AuthServerRef("good", "email"))),
			deniedBy("scopegate-consumers", `scope "openid" of spec.embeddedAuthServer.baselineClientScopes of MCPExternalAuthConfig "good" `+
				`is not supported by the auth server of MCPRemoteProxy "new": it is not in its spec.oidcConfigRef.scopes: add it there, or remove it from baselineClientScopes`),
		},
		"new virtual server with defaults": {
			dryCreate(t, testenv.Virtual(ns, "new", testenv.AuthServer("admin"))),
			deniedBy("scopegate-virtualmcpservers", `scope "admin" of spec.authServerConfig.baselineClientScopes of VirtualMCPServer "new" `+
				`is not supported by its auth server: spec.incomingAuth.oidcConfigRef.scopes is empty, so only the defaults are `+
				`(openid, profile, email, offline_access): list every scope that it needs there, or remove it from baselineClientScopes`),
		},
		"another namespace":   {dryCreate(t, testenv.Server("default", "new", testenv.AuthServerRef("good", "email"))), setup.Refusal{}},
		"config not consumed": {dryCreate(t, testenv.Config(ns, "lone", "admin")), setup.Refusal{}},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "", tc.want, refusalOf(t, tc.err))
		})
	}
}

// TestRatchet edits pairs that are already NotSupported. An edit that does not
// touch the inputs of the verdict must pass.
func TestRatchet(t *testing.T) {
	ns := namespace(t, guard.ModeOff)
	config := testenv.Config(ns, "bad", "openid", "admin")
	server := testenv.Server(ns, "web", testenv.AuthServerRef("bad", "openid"))
	server.Finalizers = []string{"example.com/hold"}
	virtual, inline := testenv.Virtual(ns, "static", testenv.AuthServer("admin"), "openid"), testenv.Virtual(ns, "inline", testenv.AuthServer("admin"))
	store(t, ns, guard.ModeDeny, config, server, virtual, inline)
	meta := func(object client.Object) {
		object.SetLabels(map[string]string{"team": "a"})
		object.SetFinalizers(nil)
	}
	status := edited(server, func(s *v1beta1.MCPServer) {
		s.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "False", Reason: "Test", LastTransitionTime: metav1.Now()}}
	})
	for name, tc := range map[string]struct {
		err     error
		refused bool
	}{
		"config: metadata":    {dryUpdate(t, edited(config, func(c *v1beta1.MCPExternalAuthConfig) { meta(c) })), false},
		"config: other field": {dryUpdate(t, edited(config, func(c *v1beta1.MCPExternalAuthConfig) { c.Spec.EmbeddedAuthServer.Issuer = "https://other.example.com" })), false},
		"config: repaired": {dryUpdate(t, edited(config, func(c *v1beta1.MCPExternalAuthConfig) {
			c.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"openid"}
		})), false},
		"config: touched": {dryUpdate(t, edited(config, func(c *v1beta1.MCPExternalAuthConfig) {
			c.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"admin"}
		})), true},
		"config: deleted":     {cluster.Client.Delete(t.Context(), config.DeepCopy(), client.DryRunAll), false},
		"server: metadata":    {dryUpdate(t, edited(server, func(s *v1beta1.MCPServer) { meta(s) })), false},
		"server: other field": {dryUpdate(t, edited(server, func(s *v1beta1.MCPServer) { s.Spec.Image = "example.com/mcp:2" })), false},
		"server: other reference, same config": {dryUpdate(t, edited(server, func(s *v1beta1.MCPServer) {
			s.Spec.AuthServerRef, s.Spec.ExternalAuthConfigRef = nil, &v1alpha1.ExternalAuthConfigRef{Name: "bad"}
		})), false},
		"server: repaired":    {dryUpdate(t, edited(server, func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef.Scopes = []string{"openid", "admin"} })), false},
		"server: touched":     {dryUpdate(t, edited(server, func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef.Scopes = []string{"email"} })), true},
		"server: status":      {cluster.Client.Status().Update(t.Context(), status, client.DryRunAll), false},
		"virtual: metadata":   {dryUpdate(t, edited(virtual, func(v *v1beta1.VirtualMCPServer) { meta(v) })), false},
		"virtual: touched":    {dryUpdate(t, edited(virtual, func(v *v1beta1.VirtualMCPServer) { v.Spec.IncomingAuth.OIDCConfigRef.Scopes = []string{"email"} })), true},
		"defaults: metadata":  {dryUpdate(t, edited(inline, func(v *v1beta1.VirtualMCPServer) { meta(v) })), false},
		"defaults: touched":   {dryUpdate(t, edited(inline, func(v *v1beta1.VirtualMCPServer) { v.Spec.AuthServerConfig.BaselineClientScopes = []string{"x"} })), true},
		"no spec at all":      {dryCreate(t, withoutSpec("VirtualMCPServer", ns)), false},
		"config without spec": {dryCreate(t, withoutSpec("MCPExternalAuthConfig", ns)), false},
	} {
		t.Run(name, func(t *testing.T) {
			if refusal := refusalOf(t, tc.err); (refusal != setup.Refusal{}) != tc.refused {
				t.Errorf("refused: %+v, want %v", refusal, tc.refused)
			}
		})
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

// TestModes makes the same edit in namespaces of every mode.
func TestModes(t *testing.T) {
	const policy = "scopegate-virtualmcpservers"
	said := setup.Refusal{
		Policy: policy, Message: `scope "admin" of spec.authServerConfig.baselineClientScopes of VirtualMCPServer "v" is not supported by its auth server: ` +
			"it is not in spec.incomingAuth.oidcConfigRef.scopes: add it there, or remove it from baselineClientScopes",
	}
	for name, tc := range map[string]struct {
		mode, binding  string
		warned, denied bool
	}{
		"no mode":  {"", policy + "-default", true, false},
		"misspelt": {"Deny", policy + "-default", true, false},
		"off":      {guard.ModeOff, "", false, false},
		"warn":     {guard.ModeWarn, policy + "-warn", true, false},
		"deny":     {guard.ModeDeny, policy + "-deny", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t, tc.mode)
			c, warnings := setup.Client(t, cluster)
			err := c.Create(t.Context(), testenv.Virtual(ns, "v", testenv.AuthServer("admin"), "openid"), client.DryRunAll)
			want := said
			want.Binding = tc.binding
			got := refusalOf(t, err)
			if tc.warned {
				if len(warnings.Texts) != 1 || err != nil {
					t.Fatalf("warnings %q and error %v, want one warning", warnings.Texts, err)
				}
				got, _ = setup.AsWarning(warnings.Texts[0])
			} else if len(warnings.Texts) > 0 {
				t.Errorf("warnings: %q", warnings.Texts)
			}
			if !tc.warned && !tc.denied {
				want = setup.Refusal{}
			}
			expect.Equal(t, "", want, got)
		})
	}
}
