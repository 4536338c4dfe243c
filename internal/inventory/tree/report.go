package tree

// APIVersion is the version of the report in JSON. New fields may be added; a
// breaking change gets a new version.
const APIVersion = "scopegate.dev/tree/v2"

// Report is the whole tree.
type Report struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Mode is standalone or guard.
	Mode string `json:"mode"`
	// Namespace is the namespace that was read, absent for the whole cluster.
	Namespace string   `json:"namespace,omitempty"`
	Configs   []Config `json:"configs"`
	// Notes list what could not be read.
	Notes []string `json:"notes,omitempty"`
}

// Config is an EmbeddedAuthServerConfig with its consumers.
type Config struct {
	Namespace string `json:"namespace"`
	// Kind and Name identify the object with the config: an
	// MCPExternalAuthConfig, or a VirtualMCPServer with its own config.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Found is false if a consumer references an object that does not exist or
	// whose type is not embeddedAuthServer.
	Found           bool     `json:"found"`
	Baseline        []string `json:"baseline"`
	ScopesSupported []string `json:"scopesSupported,omitempty"`
	// Verdict is the computed verdict, which the condition BaselineScopesValid
	// should have.
	Verdict Verdict `json:"verdict"`
	// Condition is the stored condition, if any.
	Condition *Condition `json:"condition,omitempty"`
	Consumers []Consumer `json:"consumers"`
}

// Verdict is the verdict on a config or on a pair.
type Verdict struct {
	// State is Supported, NotSupported or Unresolved. The state of a config can
	// also be NotReferenced or NotFound.
	State string `json:"state"`
	// Missing are the baseline scopes of a pair that are not supported.
	Missing []string `json:"missing,omitempty"`
	// Cause is the reason why a pair is Unresolved: a reason of the condition
	// Ready.
	Cause   string `json:"cause,omitempty"`
	Message string `json:"message,omitempty"`
}

// Consumer is a workload that runs an auth server.
type Consumer struct {
	Kind    string  `json:"kind"`
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	// Effective are the effective scopes, absent if unknown. Source is
	// scopesSupported, oidcConfigRef or defaults.
	Effective []string   `json:"effectiveScopes,omitempty"`
	Source    string     `json:"source,omitempty"`
	Rollout   Rollout    `json:"rollout"`
	Condition *Condition `json:"condition,omitempty"`
}

// Condition is the stored condition BaselineScopesValid.
type Condition struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
	// Stale is true if the condition was written for an older generation of the
	// object.
	Stale bool `json:"stale,omitempty"`
}
