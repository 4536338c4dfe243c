// Package toolhive has ToolHive's names: the ConfigMaps into which its operator
// writes the run configs of auth servers, their keys, labels and annotations, and
// the auth server's default scopes. It also decodes these run configs.
//
// None of this is an API of ToolHive, so a release may change it. The comparison
// tests detect that.
package toolhive

// The keys of run configs in a ConfigMap.
const (
	// RunConfigKey is the key for an MCPServer and an MCPRemoteProxy: the run
	// config of the proxy, in JSON, with a section for the auth server (ToolHive:
	// cmd/thv-operator/controllers/mcpserver_runconfig.go,
	// mcpremoteproxy_runconfig.go).
	RunConfigKey = "runconfig.json"
	// AuthServerConfigKey is the key for a VirtualMCPServer: the run config of
	// the auth server itself, in YAML (ToolHive:
	// cmd/thv-operator/controllers/virtualmcpserver_vmcpconfig.go).
	AuthServerConfigKey = "authserver-config.yaml"
)

// ComponentLabel is on the ConfigMaps with run configs. Its value is one of the
// other two.
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

// SchemaVersion is the schema version of both run configs.
const SchemaVersion = "v0.1.0"

// The names of fields in a run config (ToolHive: pkg/runner/config.go,
// pkg/authserver/config.go).
const (
	AuthServerSection       = "embedded_auth_server_config"
	ScopesSupportedKey      = "scopes_supported"
	BaselineClientScopesKey = "baseline_client_scopes"
)

// DefaultScopes are the scopes that ToolHive's auth server supports if none are
// configured (pkg/authserver/server/registration/client.go, DefaultScopes). Do
// not modify them.
var DefaultScopes = []string{"openid", "profile", "email", "offline_access"}
