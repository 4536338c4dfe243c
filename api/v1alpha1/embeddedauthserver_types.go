package v1alpha1

// If scopesSupported is not empty, it contains every scope of the baseline. The
// message names the first missing scope.
// +kubebuilder:validation:XValidation:rule=`!self.?scopesSupported[?0].hasValue() || !has(self.baselineClientScopes) || sets.contains(self.scopesSupported, self.baselineClientScopes) || (oldSelf.?scopesSupported.orValue([]) == self.scopesSupported && oldSelf.?baselineClientScopes.orValue([]) == self.baselineClientScopes)`,message=`every scope of baselineClientScopes must be in scopesSupported`,messageExpression=`'scope "' + self.baselineClientScopes.filter(s, !(s in self.scopesSupported))[0] + '" is not in scopesSupported: add it there, or remove it from baselineClientScopes'`,fieldPath=`.baselineClientScopes`,optionalOldSelf=true
//
// The other rules are ToolHive's own. There is at least one way to get a token.
// +kubebuilder:validation:XValidation:rule=`[oldSelf, optional.of(self)].map(o, o.hasValue() && !o.?upstreamProviders[?0].hasValue() && !o.?delegateClients[?0].hasValue() && !o.?trustedIssuers[?0].hasValue() && !o.?inboundGrants.hasValue()) != [false, true]`,message=`upstreamProviders must name a provider, unless delegateClients, trustedIssuers or inboundGrants configure another way to get tokens`,reason=FieldValueRequired,fieldPath=`.upstreamProviders`,optionalOldSelf=true
//
// Clients can't have secrets where insecureAllowHTTP is set, nor with an http
// issuer, unless its host is loopback and the flag for that is set.
// +kubebuilder:validation:XValidation:rule=`[oldSelf, optional.of(self)].map(o, o.?insecureAllowHTTP.orValue(false) && (o.?allowConfidentialClientRegistration.orValue(false) || o.?delegateClients[?0].hasValue())) != [false, true]`,message=`insecureAllowHTTP must not be true together with allowConfidentialClientRegistration or delegateClients, whose secrets would cross the network in the clear: set it to false`,reason=FieldValueForbidden,fieldPath=`.insecureAllowHTTP`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`[oldSelf, optional.of(self)].map(o, o.?issuer.orValue('').startsWith('http://') && !o.?insecureAllowConfidentialOverLoopbackHTTP.orValue(false) && (o.?allowConfidentialClientRegistration.orValue(false) || o.?delegateClients[?0].hasValue())) != [false, true]`,message=`issuer must be an https URL where allowConfidentialClientRegistration or delegateClients are used; for a loopback issuer, insecureAllowConfidentialOverLoopbackHTTP allows http`,fieldPath=`.issuer`,optionalOldSelf=true
//
// Redirect URIs that force a secret need clients that can register for one.
// +kubebuilder:validation:XValidation:rule=`[oldSelf, optional.of(self)].map(o, o.?forceConfidentialRedirectUris[?0].hasValue() && !o.?allowConfidentialClientRegistration.orValue(false)) != [false, true]`,message=`forceConfidentialRedirectUris needs allowConfidentialClientRegistration: set that to true, or remove the URIs`,reason=FieldValueForbidden,fieldPath=`.forceConfidentialRedirectUris`,optionalOldSelf=true

// EmbeddedAuthServerConfig configures an OAuth authorization server that a
// workload runs. It is inline in a VirtualMCPServer (spec.authServerConfig) and
// shared through an MCPExternalAuthConfig (spec.embeddedAuthServer).
type EmbeddedAuthServerConfig struct {
	// ToolHive's pkg/authserver/config.go, validateIssuerURL: no userinfo, not
	// even an empty one.
	// +kubebuilder:validation:XValidation:rule=`!self.matches('^https?://[^/]*@')`,message=`the URL must have no user before its host: remove what stands before the @`

	// issuer is the auth server's identifier and the iss claim of the tokens that
	// it issues. It is an https URL without query, fragment or trailing slash
	// (RFC 8414). http is allowed on loopback hosts, and on other hosts with
	// insecureAllowHTTP. Example: https://auth.example.com.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s?#]+[^/\s?#]$`
	// +required
	Issuer string `json:"issuer"`

	// ToolHive's pkg/authserver/config.go, validateIssuerURL: no userinfo, not
	// even an empty one.
	// +kubebuilder:validation:XValidation:rule=`!self.matches('^https?://[^/]*@')`,message=`the URL must have no user before its host: remove what stands before the @`

	// authorizationEndpointBaseUrl replaces the issuer in the authorization
	// endpoint that discovery advertises. Set it when browsers reach the auth
	// server under another host. If empty, the issuer is used.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s?#]+[^/\s?#]$`
	// +optional
	AuthorizationEndpointBaseURL string `json:"authorizationEndpointBaseUrl,omitempty"`

	// signingKeySecretRefs name the keys that sign tokens. The first key signs;
	// the others are earlier keys that still verify. If empty, the auth server
	// generates a key at each start, which invalidates all earlier tokens.
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	SigningKeySecretRefs []SecretKeyRef `json:"signingKeySecretRefs,omitempty"`

	// hmacSecretRefs name the secrets for authorization codes and refresh tokens,
	// each at least 32 bytes long. The first secret signs; the others still
	// verify. If empty, the auth server generates one at each start.
	// +listType=atomic
	// +optional
	HMACSecretRefs []SecretKeyRef `json:"hmacSecretRefs,omitempty"`

	// tokenLifespans are how long tokens are valid. If absent, the auth server's
	// defaults apply.
	// +optional
	TokenLifespans *TokenLifespanConfig `json:"tokenLifespans,omitempty"`

	// spiffeTrustDomains are the SPIFFE trust domains of clients. Only ToolHive
	// reads it.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	SPIFFETrustDomains []OpaqueObject `json:"spiffeTrustDomains,omitempty"`

	// inboundGrants are the grants besides authorization codes. Only ToolHive
	// reads it.
	// +optional
	InboundGrants *OpaqueObject `json:"inboundGrants,omitempty"`

	// upstreamProviders are the identity providers at which users log in. An
	// MCPServer or an MCPRemoteProxy can have one, a VirtualMCPServer several.
	// +kubebuilder:validation:MaxItems=100
	// +listType=map
	// +listMapKey=name
	// +optional
	UpstreamProviders []UpstreamProviderConfig `json:"upstreamProviders,omitempty"`

	// primaryUpstreamProvider names the upstream provider whose claims ToolHive
	// uses for authorization on a VirtualMCPServer. It does not reach the auth
	// server.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +optional
	PrimaryUpstreamProvider string `json:"primaryUpstreamProvider,omitempty"`

	// registrationRateLimit limits how often clients may register. Only ToolHive
	// reads it, from v0.56.0 on.
	// +optional
	RegistrationRateLimit *OpaqueObject `json:"registrationRateLimit,omitempty"`

	// tlsListener configures a second listener of the auth server, with TLS. Only
	// ToolHive reads it, from v0.63.0 on.
	// +optional
	TLSListener *OpaqueObject `json:"tlsListener,omitempty"`

	// storage is where the auth server keeps its sessions. If absent, it keeps
	// them in memory.
	// +optional
	Storage *AuthServerStorageConfig `json:"storage,omitempty"`

	// disableUpstreamTokenInjection keeps upstream tokens from the requests that
	// reach the MCP server.
	// +kubebuilder:default=false
	// +optional
	DisableUpstreamTokenInjection bool `json:"disableUpstreamTokenInjection,omitempty"`

	// insecureAllowHTTP allows an http issuer on a host that is not loopback. Use
	// it only for traffic that never leaves a trusted network.
	// +kubebuilder:default=false
	// +optional
	InsecureAllowHTTP bool `json:"insecureAllowHTTP,omitempty"`

	// scopesSupported sets the effective scopes of the auth server directly: the
	// scopes that it advertises and that clients may request, whatever the
	// consumers specify. It must contain every entry of baselineClientScopes. If
	// empty, the effective scopes are the consumer's oidcConfigRef.scopes. If
	// those are empty too, they are the auth server's defaults: openid, profile,
	// email and offline_access. scopegate adds this field; ToolHive's own CRDs do
	// not have it. Example: [openid, profile, offline_access].
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^[\x21\x23-\x5B\x5D-\x7E]+$`
	// +listType=atomic
	// +optional
	ScopesSupported []string `json:"scopesSupported,omitempty"`

	// baselineClientScopes are the scopes that every dynamically registered
	// client gets, whatever it requests (RFC 7591). Each must be one of the
	// effective scopes of the auth server: scopesSupported, or else the
	// consumer's oidcConfigRef.scopes, or else openid, profile, email and
	// offline_access. The scopes of upstreamProviders do not count: they are only
	// requested from the provider. Scopes match exactly and case-sensitively (RFC
	// 6749 section 3.3). The auth server refuses to start with any other scope. The API server
	// rejects such a config if the mistake is visible in this object alone.
	// Otherwise the condition BaselineScopesValid reports it, and it is not
	// rolled out. If empty, clients get the scopes that they request. Keep the
	// list short, because every client gets these scopes. Example: [openid,
	// offline_access].
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^[\x21\x23-\x5B\x5D-\x7E]+$`
	// +listType=atomic
	// +optional
	BaselineClientScopes []string `json:"baselineClientScopes,omitempty"`

	// allowConfidentialClientRegistration lets clients register for a secret.
	// Anyone who can reach the auth server can register.
	// +kubebuilder:default=false
	// +optional
	AllowConfidentialClientRegistration bool `json:"allowConfidentialClientRegistration,omitempty"`

	// allowPrivateKeyJWTRegistration lets clients register for private_key_jwt
	// authentication.
	// +kubebuilder:default=false
	// +optional
	AllowPrivateKeyJWTRegistration bool `json:"allowPrivateKeyJWTRegistration,omitempty"`

	// insecureAllowConfidentialOverLoopbackHTTP allows clients with a secret on
	// an http issuer with a loopback host, for development.
	// +kubebuilder:default=false
	// +optional
	InsecureAllowConfidentialOverLoopbackHTTP bool `json:"insecureAllowConfidentialOverLoopbackHTTP,omitempty"`

	// delegateClients are the clients that may exchange tokens (RFC 8693). Only
	// ToolHive reads it.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +optional
	DelegateClients []OpaqueObject `json:"delegateClients,omitempty"`

	// trustedIssuers are other issuers whose tokens are accepted. Only ToolHive
	// reads it.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	TrustedIssuers []OpaqueObject `json:"trustedIssuers,omitempty"`

	// forceConfidentialRedirectUris are redirect URIs whose clients get a secret
	// even if they do not request one. It needs
	// allowConfidentialClientRegistration.
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MaxLength=1024
	// +kubebuilder:validation:items:Pattern=`^https://[^\s?#]+$`
	// +listType=atomic
	// +optional
	ForceConfidentialRedirectURIs []string `json:"forceConfidentialRedirectUris,omitempty"`

	// cimd configures client ID metadata documents: clients whose ID is the URL
	// of their description. If absent, the auth server rejects such clients.
	// +optional
	CIMD *CIMDConfig `json:"cimd,omitempty"`
}

// ToolHive's pkg/authserver/config.go, CIMDRunConfig.Validate: greater than zero;
// less than a nanosecond counts as zero. ToolHive ignores it while enabled is
// false.
// +kubebuilder:validation:XValidation:rule=`!self.enabled || !has(self.cacheFallbackTtl) || duration(self.cacheFallbackTtl) > duration('0s')`,message=`cacheFallbackTtl must be above zero where enabled is true: remove it for the default, or set enabled to false`,fieldPath=`.cacheFallbackTtl`

// CIMDConfig configures client ID metadata documents.
type CIMDConfig struct {
	// enabled lets such documents describe clients.
	// +kubebuilder:default=false
	// +required
	Enabled bool `json:"enabled"`

	// cacheMaxSize is the maximum number of cached documents. If absent: 256.
	// +kubebuilder:validation:Minimum=1
	// +optional
	CacheMaxSize int `json:"cacheMaxSize,omitempty"`

	// cacheFallbackTtl is how long a document is cached, as a Go duration. If
	// empty: 5m.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	CacheFallbackTTL string `json:"cacheFallbackTtl,omitempty"`
}

// TokenLifespanConfig sets how long the tokens of an auth server are valid, each
// as a Go duration such as 30m or 168h.
type TokenLifespanConfig struct {
	// ToolHive's pkg/authserver/server/provider.go, validateTokenLifespans; zero
	// means the default (pkg/authserver/config.go, applyDefaults).
	// +kubebuilder:validation:XValidation:rule=`duration(self) == duration('0s') || (duration(self) >= duration('1m') && duration(self) <= duration('24h'))`,message=`accessTokenLifespan must be from 1m to 24h`

	// accessTokenLifespan is the lifespan of access tokens, from 1m to 24h. If
	// empty or zero: 1h.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	AccessTokenLifespan string `json:"accessTokenLifespan,omitempty"`

	// ToolHive's pkg/authserver/server/provider.go, validateTokenLifespans; zero
	// means the default (pkg/authserver/config.go, applyDefaults).
	// +kubebuilder:validation:XValidation:rule=`duration(self) == duration('0s') || (duration(self) >= duration('1h') && duration(self) <= duration('720h'))`,message=`refreshTokenLifespan must be from 1h to 720h`

	// refreshTokenLifespan is the lifespan of refresh tokens, from 1h to 720h. If
	// empty or zero: 168h.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	RefreshTokenLifespan string `json:"refreshTokenLifespan,omitempty"`

	// ToolHive's pkg/authserver/server/provider.go, validateTokenLifespans; zero
	// means the default (pkg/authserver/config.go, applyDefaults).
	// +kubebuilder:validation:XValidation:rule=`duration(self) == duration('0s') || (duration(self) >= duration('30s') && duration(self) <= duration('10m'))`,message=`authCodeLifespan must be from 30s to 10m`

	// authCodeLifespan is the lifespan of authorization codes, from 30s to 10m.
	// If empty or zero: 10m.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	AuthCodeLifespan string `json:"authCodeLifespan,omitempty"`
}
