package setup

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// authServerConfig is what the policies read of the config of an auth server.
type authServerConfig struct {
	SchemaVersion        string   `json:"schema_version" yaml:"schema_version"`
	ScopesSupported      []string `json:"scopes_supported" yaml:"scopes_supported"`
	BaselineClientScopes []string `json:"baseline_client_scopes" yaml:"baseline_client_scopes"`
	AllowedAudiences     []string `json:"allowed_audiences" yaml:"allowed_audiences"`
}

func authServer(baseline []string) authServerConfig {
	return authServerConfig{toolhive.SchemaVersion, []string{"openid", "mcp:read"}, baseline, nil}
}

// RunConfig is a ConfigMap as ToolHive's operator writes it for an MCPServer, whose
// auth server supports openid and mcp:read.
func RunConfig(namespace, server string, baseline ...string) *corev1.ConfigMap {
	text, err := json.MarshalIndent(struct {
		SchemaVersion string           `json:"schema_version"`
		AuthServer    authServerConfig `json:"embedded_auth_server_config"`
	}{toolhive.SchemaVersion, authServer(baseline)}, "", "  ")
	if err != nil {
		panic(err) // Strings can always be encoded.
	}
	return configMap(namespace, server+"-runconfig", "MCPServer", server, toolhive.ComponentRunConfig, toolhive.RunConfigKey, string(text))
}

// AuthServerConfig is the same for a VirtualMCPServer.
func AuthServerConfig(namespace, server string, baseline ...string) *corev1.ConfigMap {
	text, err := yaml.Marshal(authServer(baseline))
	if err != nil {
		panic(err) // Strings can always be encoded.
	}
	return configMap(namespace, server+"-vmcp-config", "VirtualMCPServer", server, toolhive.ComponentVMCP, toolhive.AuthServerConfigKey, string(text))
}

func configMap(namespace, name, kind, owner, component, key, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace,
			Labels:      map[string]string{toolhive.ComponentLabel: component},
			Annotations: map[string]string{toolhive.ContentChecksumAnnotation: fmt.Sprintf("checksum of %d bytes", len(text))},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1beta1.GroupVersion.String(), Kind: kind, Name: owner, UID: types.UID("uid-of-" + owner), Controller: ptr.To(true),
			}},
		},
		Data: map[string]string{key: text},
	}
}
