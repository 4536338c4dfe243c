// Package toolhive has what ToolHive calls things: its kinds, the labels and the
// annotation of the pods that its operator creates, and the auth server's default scopes.
//
// None of this is an API of ToolHive, so a release may change it. The comparison
// tests detect that.
package toolhive

// Labels of the pods that run an auth server (ToolHive:
// cmd/thv-operator/controllers, labelsForMCPServer, labelsForMCPRemoteProxy,
// labelsForVirtualMCPServer). Users can't override them.
const (
	// OwnedLabel is "true" on them.
	OwnedLabel = "toolhive"
	// NameLabel is the kind of the workload in lower case, and InstanceLabel its
	// name.
	NameLabel     = "app.kubernetes.io/name"
	InstanceLabel = "app.kubernetes.io/instance"
)

// GenerationAnnotation of a pod is the generation of the MCPServer whose template it
// has (ToolHive: pkg/container/kubernetes/client.go,
// RunConfigMCPServerGenerationAnnotation). Pods of the other kinds do not have it.
const GenerationAnnotation = "toolhive.stacklok.dev/mcpserver-generation"

// DefaultScopes are the scopes that ToolHive's auth server supports if none are
// configured (pkg/authserver/server/registration/client.go, DefaultScopes). Do
// not modify them.
var DefaultScopes = []string{"openid", "profile", "email", "offline_access"}

// Kinds are the kinds of ToolHive's CRDs, the same in all tested releases.
var Kinds = []string{
	"EmbeddingServer", "MCPAuthzConfig", "MCPExternalAuthConfig", "MCPGroup", "MCPOIDCConfig", "MCPRegistry", "MCPRemoteProxy", "MCPServer",
	"MCPServerEntry", "MCPTelemetryConfig", "MCPToolConfig", "MCPWebhookConfig", "VirtualMCPCompositeToolDefinition", "VirtualMCPServer",
}
