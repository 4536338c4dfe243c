// Package toolhive knows what ToolHive calls things: the ConfigMaps into which its
// operator writes the run configs of auth servers, the keys, labels and annotations
// there, and the auth server's defaults. It decodes those run configs.
//
// Nothing of this is an API of ToolHive, so a release may change it. The comparison
// tests find that out.
package toolhive

// The keys of a ConfigMap that hold a run config.
const (
	// RunConfigKey is that of an MCPServer and of an MCPRemoteProxy: the run config
	// of the proxy, in JSON, with that of the auth server as a section (ToolHive:
	// cmd/thv-operator/controllers/mcpserver_runconfig.go, mcpremoteproxy_runconfig.go).
	RunConfigKey = "runconfig.json"
	// AuthServerConfigKey is that of a VirtualMCPServer: the run config of the auth
	// server itself, in YAML (ToolHive: cmd/thv-operator/controllers/virtualmcpserver_vmcpconfig.go).
	AuthServerConfigKey = "authserver-config.yaml"
)

// ComponentLabel is on the ConfigMaps with run configs, with one of these values.
const (
	ComponentLabel     = "toolhive.stacklok.io/component"
	ComponentRunConfig = "run-config"
	ComponentVMCP      = "vmcp-config"
)

// Annotations that make pods roll when a run config changes (ToolHive:
// cmd/thv-operator/pkg/runconfig/configmap/checksum/checksum.go).
const (
	// ContentChecksumAnnotation is on the ConfigMap.
	ContentChecksumAnnotation = "toolhive.stacklok.dev/content-checksum"
	// RunConfigChecksumAnnotation is on the pod template.
	RunConfigChecksumAnnotation = "toolhive.stacklok.dev/runconfig-checksum"
)

// SchemaVersion is that of both run configs.
const SchemaVersion = "v0.1.0"

// The names of fields in a run config (ToolHive: pkg/runner/config.go,
// pkg/authserver/config.go).
const (
	AuthServerSection       = "embedded_auth_server_config"
	ScopesSupportedKey      = "scopes_supported"
	BaselineClientScopesKey = "baseline_client_scopes"
)

// DefaultScopes are what ToolHive's auth server supports when it is told no scopes
// (pkg/authserver/server/registration/client.go, DefaultScopes). Nobody may change
// them.
var DefaultScopes = []string{"openid", "profile", "email", "offline_access"}
