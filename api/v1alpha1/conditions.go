package v1alpha1

// ConditionBaselineScopesValid is True when every entry of baselineClientScopes
// is one of the effective scopes of every auth server that runs from the config.
// On an MCPExternalAuthConfig it covers all consumers; on a consumer (MCPServer,
// MCPRemoteProxy, VirtualMCPServer) it covers that consumer's own pair. It is
// absent where no auth server is configured.
const ConditionBaselineScopesValid = "BaselineScopesValid"

// Reasons of BaselineScopesValid.
const (
	// ReasonBaselineScopesSupported surfaces with status True when the auth
	// server of every consumer supports the whole baseline, or when the baseline
	// is empty. The message says which.
	ReasonBaselineScopesSupported = "BaselineScopesSupported"

	// ReasonBaselineScopeNotSupported surfaces with status False when at least
	// one consumer's auth server would refuse to start because an entry of
	// baselineClientScopes is not one of its effective scopes. Ready has this
	// reason, with status False, when the rollout is held because of it.
	ReasonBaselineScopeNotSupported = "BaselineScopeNotSupported"

	// ReasonScopesNotResolved surfaces with status Unknown when no consumer is
	// known to be NotSupported, but the effective scopes of at least one are
	// unknown. The message names that consumer and the cause.
	ReasonScopesNotResolved = "ScopesNotResolved"

	// ReasonNotReferenced surfaces with status Unknown when no consumer
	// references the config, so there are no effective scopes to compare with. It
	// is not set when scopesSupported or an empty baseline already decides the
	// verdict.
	ReasonNotReferenced = "NotReferenced"
)

// ConditionReady is True when the auth server of a consumer is rolled out with
// the configuration in its objects. Only consumers in standalone mode have it,
// and only where an auth server is configured.
const ConditionReady = "Ready"

// ConditionStalled is True when a rollout is held and only a user's edit of the
// object or of its config can resolve that. Otherwise it is absent, as kstatus
// expects. It has the same reason as Ready. A consumer that waits for an object
// that may still appear is never Stalled.
const ConditionStalled = "Stalled"

// Reasons of Ready, and of Stalled where noted. Ready also uses
// ReasonBaselineScopeNotSupported (Stalled).
const (
	// ReasonRolledOut surfaces with status True when the Deployment runs the auth
	// server with the run config that was validated last.
	ReasonRolledOut = "RolledOut"

	// ReasonRollingOut surfaces with status False until the Deployment has
	// replaced and started all of its pods.
	ReasonRollingOut = "RollingOut"

	// ReasonRolloutFailed surfaces with status False when the API server rejected
	// a write of the Deployment or the Service. scopegate retries it.
	ReasonRolloutFailed = "RolloutFailed"

	// ReasonConfigNotFound surfaces with status False while a referenced
	// MCPExternalAuthConfig does not exist.
	ReasonConfigNotFound = "ConfigNotFound"

	// ReasonInvalidAuthServerRef surfaces with status False when authServerRef
	// names an MCPExternalAuthConfig of another type than embeddedAuthServer
	// (Stalled).
	ReasonInvalidAuthServerRef = "InvalidAuthServerRef"

	// ReasonAuthServerConflict surfaces with status False when authServerRef and
	// externalAuthConfigRef both name embedded auth servers (Stalled).
	ReasonAuthServerConflict = "AuthServerConflict"

	// ReasonOIDCConfigRequired surfaces with status False when an auth server is
	// configured but oidcConfigRef is not, or the VirtualMCPServer is anonymous
	// (Stalled).
	ReasonOIDCConfigRequired = "OIDCConfigRequired"

	// ReasonOIDCConfigNotFound surfaces with status False while the MCPOIDCConfig
	// that oidcConfigRef names does not exist.
	ReasonOIDCConfigNotFound = "OIDCConfigNotFound"

	// ReasonAudienceMismatch surfaces with status False when
	// oidcConfigRef.audience is not the resource URL (Stalled).
	ReasonAudienceMismatch = "AudienceMismatch"

	// ReasonTooManyUpstreams surfaces with status False when the config of an
	// MCPServer or an MCPRemoteProxy has more than one upstream provider
	// (Stalled).
	ReasonTooManyUpstreams = "TooManyUpstreams"

	// ReasonUnsupportedField surfaces with status False when the config sets a
	// field that scopegate does not render into a run config, although ToolHive's
	// operator does (Stalled).
	ReasonUnsupportedField = "UnsupportedField"

	// ReasonInvalidConfig surfaces with status False when the auth server would
	// refuse to start because of a value other than the baseline, such as an http
	// issuer on a host that is not loopback (Stalled).
	ReasonInvalidConfig = "InvalidConfig"

	// ReasonRunConfigTooLarge surfaces with status False when the run config is
	// larger than 240 KiB and does not fit into an annotation of the pod template
	// (Stalled).
	ReasonRunConfigTooLarge = "RunConfigTooLarge"

	// ReasonNameConflict surfaces with status False while an object that does not
	// belong to this consumer has the name of its Deployment or Service.
	ReasonNameConflict = "NameConflict"
)
