package check

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// Name is the name of the objects that are tried and stored.
const Name = "scopegate-canary"

// unsupported is in the baseline of every edit. supported is the only scope that
// the auth servers support.
const (
	unsupported = "scopegate-canary"
	supported   = "openid"
)

const description = "kubernetes.io/description"

// edit is a creation that a policy must reject.
type edit struct {
	policy, what string
	object       client.Object
}

// edits returns the creations to try. The policies on configs compare with stored
// consumers, and ToolHive's operator would run a stored consumer, so those
// policies are only inspected.
func edits(namespace string) []edit {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: Name}
	refs := v1alpha1.AuthReferences{
		AuthServerRef: &v1alpha1.AuthServerRef{Kind: "MCPExternalAuthConfig", Name: Name},
		OIDCConfigRef: oidcConfigRef(supported),
	}
	return []edit{
		{guard.ConsumersPolicy, "an MCPServer", &v1beta1.MCPServer{
			ObjectMeta: meta, Spec: v1alpha1.MCPServerSpec{Image: "example.com/canary", AuthReferences: refs}}},
		{guard.ConsumersPolicy, "an MCPRemoteProxy", &v1beta1.MCPRemoteProxy{
			ObjectMeta: meta, Spec: v1alpha1.MCPRemoteProxySpec{RemoteURL: "https://canary.example.com", AuthReferences: refs}}},
		{guard.VirtualMCPServersPolicy, "a VirtualMCPServer with scopes", virtual(meta, supported)},
		{guard.VirtualMCPServersPolicy, "a VirtualMCPServer without scopes", virtual(meta)},
		{guard.RunConfigsPolicy, "a ConfigMap with a run config", newRunConfig(namespace)},
		{guard.StartUpPolicy, "an MCPExternalAuthConfig", refusedAtStart(namespace)},
	}
}

// runConfig returns a ConfigMap like those of ToolHive's operator, with a
// baseline of one scope. No workload owns or mounts it.
func runConfig(namespace, baseline string) *corev1.ConfigMap {
	type section struct {
		SchemaVersion string   `json:"schema_version"`
		Supported     []string `json:"scopes_supported"`
		Baseline      []string `json:"baseline_client_scopes"`
	}
	text, err := json.MarshalIndent(struct {
		SchemaVersion string  `json:"schema_version"`
		AuthServer    section `json:"embedded_auth_server_config"`
	}{toolhive.SchemaVersion, section{toolhive.SchemaVersion, []string{supported}, []string{baseline}}}, "", "  ")
	if err != nil {
		panic(err) // Strings can always be encoded.
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: Name,
			Labels:      map[string]string{toolhive.ComponentLabel: toolhive.ComponentRunConfig},
			Annotations: map[string]string{description: "scopegate tries its policies on this ConfigMap. Nothing runs from it."},
		},
		Data: map[string]string{toolhive.RunConfigKey: string(text)},
	}
}

// newRunConfig returns a run config under a name that is not stored.
func newRunConfig(namespace string) *corev1.ConfigMap {
	configMap := runConfig(namespace, unsupported)
	configMap.Name += "-new"
	return configMap
}

// stored returns the objects that the check stores.
func stored(namespace string) []client.Object {
	return []client.Object{storedConfig(namespace), runConfig(namespace, supported)}
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
			description: "scopegate tries its policies against this config. Nothing runs from it.",
		}},
		Spec: v1alpha1.MCPExternalAuthConfigSpec{Type: v1alpha1.ExternalAuthTypeEmbeddedAuthServer, EmbeddedAuthServer: authServer()},
	}
}

// refusedAtStart returns a config with which the auth server refuses to start,
// under a name that is not stored.
func refusedAtStart(namespace string) *v1beta1.MCPExternalAuthConfig {
	config := storedConfig(namespace)
	config.Name += "-new"
	config.Spec.EmbeddedAuthServer.BaselineClientScopes = nil
	config.Spec.EmbeddedAuthServer.TokenLifespans = &v1alpha1.TokenLifespanConfig{AccessTokenLifespan: "1s"}
	return config
}

func authServer() *v1alpha1.EmbeddedAuthServerConfig {
	return &v1alpha1.EmbeddedAuthServerConfig{
		Issuer: "https://canary.example.com", BaselineClientScopes: []string{unsupported},
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
