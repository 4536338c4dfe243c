package tree

// APIVersion is that of the report in JSON: fields may be added to it, and a
// change that could break a reader changes it.
const APIVersion = "scopegate.dev/tree/v1"

// Report is the whole tree.
type Report struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Mode is standalone or guard.
	Mode    string   `json:"mode"`
	Configs []Config `json:"configs"`
	// Notes say what could not be read.
	Notes []string `json:"notes,omitempty"`
}

// Config is an EmbeddedAuthServerConfig and what runs from it.
type Config struct {
	Namespace string `json:"namespace"`
	// Kind and Name are of the object that holds it: an MCPExternalAuthConfig, or a
	// VirtualMCPServer with a config of its own.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Found is false where a consumer references what does not exist or is of
	// another type than embeddedAuthServer.
	Found           bool     `json:"found"`
	Baseline        []string `json:"baseline"`
	ScopesSupported []string `json:"scopesSupported,omitempty"`
	// Verdict is what the condition BaselineScopesValid has to say.
	Verdict Verdict `json:"verdict"`
	// Condition is what it says; absent where there is none.
	Condition *Condition `json:"condition,omitempty"`
	Consumers []Consumer `json:"consumers"`
}

// Verdict on a config or on a pair.
type Verdict struct {
	// State is Supported, NotSupported, Unresolved or, of a config only,
	// NotReferenced and NotFound.
	State string `json:"state"`
	// Missing are the scopes of the baseline that are not supported; of a pair only.
	Missing []string `json:"missing,omitempty"`
	// Cause is why a pair is Unresolved: a reason of the condition Ready.
	Cause   string `json:"cause,omitempty"`
	Message string `json:"message,omitempty"`
}

// Consumer is a workload that runs an auth server.
type Consumer struct {
	Kind    string  `json:"kind"`
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	// Effective are the effective scopes, absent where they can't be determined, and
	// Source is scopesSupported, oidcConfigRef or defaults.
	Effective []string   `json:"effectiveScopes,omitempty"`
	Source    string     `json:"source,omitempty"`
	Rollout   Rollout    `json:"rollout"`
	Condition *Condition `json:"condition,omitempty"`
}

// Condition is BaselineScopesValid as it is stored.
type Condition struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
	// Stale reports that it was written for an older generation of the object.
	Stale bool `json:"stale,omitempty"`
}
