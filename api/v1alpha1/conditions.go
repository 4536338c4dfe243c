package v1alpha1

// ConditionBaselineScopesValid reports whether every entry of
// baselineClientScopes is among the effective scopes of every auth server that
// runs from the config. It is on MCPExternalAuthConfig for all of its consumers
// together, and on each consumer (MCPServer, MCPRemoteProxy, VirtualMCPServer)
// for its own pair; it is absent where no auth server is configured.
const ConditionBaselineScopesValid = "BaselineScopesValid"

// Reasons of BaselineScopesValid.
const (
	// ReasonBaselineScopesSupported surfaces with status True when the auth
	// server of every consumer supports the whole baseline, or when the baseline
	// is empty; the message says which.
	ReasonBaselineScopesSupported = "BaselineScopesSupported"

	// ReasonBaselineScopeNotSupported surfaces with status False when the auth
	// server of at least one consumer would refuse to start for an entry of
	// baselineClientScopes that is not among its effective scopes. On Ready it
	// surfaces with status False when a rollout is held for that.
	ReasonBaselineScopeNotSupported = "BaselineScopeNotSupported"

	// ReasonScopesNotResolved surfaces with status Unknown when no consumer is
	// known to be refused, but the effective scopes of at least one are not
	// known; the message names it and the cause.
	ReasonScopesNotResolved = "ScopesNotResolved"

	// ReasonNotReferenced surfaces with status Unknown when nothing consumes the
	// config, so that there are no effective scopes to compare with. It does not
	// surface when scopesSupported or an empty baseline settles the verdict.
	ReasonNotReferenced = "NotReferenced"
)

// ConditionReady reports whether the auth server of a consumer is rolled out as
// its objects say. It is on consumers only, in standalone mode only, and absent
// where no auth server is configured.
const ConditionReady = "Ready"

// ConditionStalled is True when a rollout is held and only a change that a user
// makes to the object or to its config can help. It is absent otherwise
// (kstatus). The reason is that of Ready. Waiting for an object that may yet
// appear is never Stalled.
const ConditionStalled = "Stalled"

// Reasons of Ready, and of Stalled where noted. Ready also has
// ReasonBaselineScopeNotSupported (Stalled).
const (
	// ReasonRolledOut surfaces with status True when the Deployment runs the auth
	// server with the run config that was checked last.
	ReasonRolledOut = "RolledOut"

	// ReasonRollingOut surfaces with status False while the Deployment has not
	// replaced and started all of its pods yet.
	ReasonRollingOut = "RollingOut"

	// ReasonRolloutFailed surfaces with status False when the API server rejected
	// a write of the Deployment or the Service; scopegate retries it.
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
	// field that scopegate does not render into a run config; ToolHive's own
	// operator does (Stalled).
	ReasonUnsupportedField = "UnsupportedField"

	// ReasonInvalidConfig surfaces with status False when the auth server would
	// refuse the config for another value than the baseline, such as an http
	// issuer that is not loopback (Stalled).
	ReasonInvalidConfig = "InvalidConfig"

	// ReasonRunConfigTooLarge surfaces with status False when the run config does
	// not fit into an annotation of the pod template, 240 KiB at most (Stalled).
	ReasonRunConfigTooLarge = "RunConfigTooLarge"

	// ReasonNameConflict surfaces with status False while an object that is not
	// this consumer's has the name of its Deployment or Service.
	ReasonNameConflict = "NameConflict"
)
