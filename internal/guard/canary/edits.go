package canary

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
)

// Name is that of every object that is tried, and of the one that is stored.
const Name = "scopegate-canary"

// scope is in the baseline of every edit, and supported by none.
const scope = "scopegate-canary"

// edit is a creation that a policy has to refuse.
type edit struct {
	policy, what string
	object       client.Object
}

// edits are the creations that are tried. The policies on configs compare with
// consumers that are stored, and a consumer that is stored would be run by
// ToolHive's operator: those policies are only inspected.
func edits(namespace string) []edit {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: Name}
	refs := v1alpha1.AuthReferences{
		AuthServerRef: &v1alpha1.AuthServerRef{Kind: "MCPExternalAuthConfig", Name: Name},
		OIDCConfigRef: oidcConfigRef("openid"),
	}
	return []edit{
		{"scopegate-consumers", "an MCPServer", &v1beta1.MCPServer{
			ObjectMeta: meta, Spec: v1alpha1.MCPServerSpec{Image: "example.com/canary", AuthReferences: refs}}},
		{"scopegate-consumers", "an MCPRemoteProxy", &v1beta1.MCPRemoteProxy{
			ObjectMeta: meta, Spec: v1alpha1.MCPRemoteProxySpec{RemoteURL: "https://canary.example.com", AuthReferences: refs}}},
		{"scopegate-virtualmcpservers", "a VirtualMCPServer with scopes", virtual(meta, "openid")},
		{"scopegate-defaults-for-virtualmcpservers", "a VirtualMCPServer without scopes", virtual(meta)},
	}
}

func virtual(meta metav1.ObjectMeta, scopes ...string) *v1beta1.VirtualMCPServer {
	return &v1beta1.VirtualMCPServer{ObjectMeta: meta, Spec: v1alpha1.VirtualMCPServerSpec{
		GroupRef:         v1alpha1.OpaqueObject{Raw: []byte(`{"name":"scopegate-canary"}`)},
		IncomingAuth:     v1alpha1.IncomingAuthConfig{Type: v1alpha1.IncomingAuthTypeOIDC, OIDCConfigRef: oidcConfigRef(scopes...)},
		AuthServerConfig: authServer(),
	}}
}

func storedConfig(namespace string) *v1beta1.MCPExternalAuthConfig {
	return &v1beta1.MCPExternalAuthConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: Name, Annotations: map[string]string{
			"kubernetes.io/description": "scopegate's guard tries its policies against this config. Nothing runs from it.",
		}},
		Spec: v1alpha1.MCPExternalAuthConfigSpec{Type: v1alpha1.ExternalAuthTypeEmbeddedAuthServer, EmbeddedAuthServer: authServer()},
	}
}

func authServer() *v1alpha1.EmbeddedAuthServerConfig {
	return &v1alpha1.EmbeddedAuthServerConfig{
		Issuer: "https://canary.example.com", BaselineClientScopes: []string{scope},
		UpstreamProviders: []v1alpha1.UpstreamProviderConfig{{
			Name: "canary", Type: v1alpha1.UpstreamProviderTypeOIDC,
			OIDCConfig: &v1alpha1.OIDCUpstreamConfig{IssuerURL: "https://idp.example.com", ClientID: "canary"},
		}},
	}
}

func oidcConfigRef(scopes ...string) *v1alpha1.MCPOIDCConfigReference {
	return &v1alpha1.MCPOIDCConfigReference{
		Name: Name, Audience: "https://canary.example.com", ResourceURL: "https://canary.example.com", Scopes: scopes,
	}
}
