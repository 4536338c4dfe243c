package v1alpha1

// These rules reject values with which the auth server of every ToolHive release
// from v0.44.0 to v0.63.0 refuses to start, whatever else the cluster holds.
//
// The API server parses URLs with its own Go version, which can be older than
// ToolHive's, so the rules skip a value that does not parse as a URL and leave it
// to the auth server. A loopback host is localhost in any letter case (ſ is a
// variant of s), 127.0.0.0/8, or ::1 in any form. The rules also skip a host that
// starts like such an address, such as 127.0.0.1.example.com, or ends with a
// bracket.
//
// pkg/authserver/config.go, validateIssuerURL: the issuer is https, or http on a
// loopback host, or http with insecureAllowHTTP. The field's pattern requires a
// lower-case scheme.
// +kubebuilder:validation:XValidation:rule=`self.issuer.startsWith('https:') || !isURL(self.issuer) || [url(self.issuer.lowerAscii()).getHostname()].exists(h, h in ['localhost', 'localhoſt'] || h.startsWith('127.') || h.startsWith('::') || h.startsWith('0:') || h.startsWith('00') || h.endsWith(']')) || self.?insecureAllowHTTP.orValue(false) || (oldSelf.hasValue() && oldSelf.value().issuer == self.issuer && !oldSelf.?insecureAllowHTTP.orValue(false))`,message=`issuer must be an https URL, or an http one on a loopback host: use https, or set insecureAllowHTTP on a trusted network`,messageExpression=`'issuer is ' + self.issuer + ': it must be an https URL, or an http one on a loopback host: use https, or set insecureAllowHTTP on a trusted network'`,reason=FieldValueInvalid,fieldPath=`.issuer`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!has(self.authorizationEndpointBaseUrl) || self.authorizationEndpointBaseUrl.startsWith('https:') || !isURL(self.authorizationEndpointBaseUrl) || [url(self.authorizationEndpointBaseUrl.lowerAscii()).getHostname()].exists(h, h in ['localhost', 'localhoſt'] || h.startsWith('127.') || h.startsWith('::') || h.startsWith('0:') || h.startsWith('00') || h.endsWith(']')) || self.?insecureAllowHTTP.orValue(false) || (oldSelf.?authorizationEndpointBaseUrl.orValue('') == self.authorizationEndpointBaseUrl && !oldSelf.?insecureAllowHTTP.orValue(false))`,message=`authorizationEndpointBaseUrl must be an https URL, or an http one on a loopback host: use https, or set insecureAllowHTTP on a trusted network`,messageExpression=`'authorizationEndpointBaseUrl is ' + self.authorizationEndpointBaseUrl + ': it must be an https URL, or an http one on a loopback host: use https, or set insecureAllowHTTP on a trusted network'`,reason=FieldValueInvalid,fieldPath=`.authorizationEndpointBaseUrl`,optionalOldSelf=true
//
// pkg/authserver/upstream/oauth2.go, OAuth2Config.ValidateWithInsecure: the same
// for both endpoints of an OAuth 2.0 provider. The provider's own
// insecureAllowHTTP also allows http.
// +kubebuilder:validation:XValidation:rule=`!has(self.upstreamProviders) || self.upstreamProviders.all(p, !has(p.oauth2Config) || ((p.oauth2Config.authorizationEndpoint.startsWith('https:') || !isURL(p.oauth2Config.authorizationEndpoint) || [url(p.oauth2Config.authorizationEndpoint.lowerAscii()).getHostname()].exists(h, h in ['localhost', 'localhoſt'] || h.startsWith('127.') || h.startsWith('::') || h.startsWith('0:') || h.startsWith('00') || h.endsWith(']'))) && (p.oauth2Config.tokenEndpoint.startsWith('https:') || !isURL(p.oauth2Config.tokenEndpoint) || [url(p.oauth2Config.tokenEndpoint.lowerAscii()).getHostname()].exists(h, h in ['localhost', 'localhoſt'] || h.startsWith('127.') || h.startsWith('::') || h.startsWith('0:') || h.startsWith('00') || h.endsWith(']')))) || p.oauth2Config.?insecureAllowHTTP.orValue(false)) || self.?insecureAllowHTTP.orValue(false) || (oldSelf.hasValue() && !oldSelf.?insecureAllowHTTP.orValue(false) && has(oldSelf.value().upstreamProviders) && oldSelf.value().upstreamProviders.map(p, p.?oauth2Config.?insecureAllowHTTP.orValue(false) ? [] : [p.?oauth2Config.?authorizationEndpoint, p.?oauth2Config.?tokenEndpoint]) == self.upstreamProviders.map(p, p.?oauth2Config.?insecureAllowHTTP.orValue(false) ? [] : [p.?oauth2Config.?authorizationEndpoint, p.?oauth2Config.?tokenEndpoint]))`,message=`authorizationEndpoint and tokenEndpoint of each oauth2Config must be https URLs, or http ones on a loopback host: use https, or set insecureAllowHTTP on a trusted network`,reason=FieldValueInvalid,fieldPath=`.upstreamProviders`,optionalOldSelf=true
//
// The same file, CommonOAuthConfig.ValidateWithInsecure: the same for redirect
// URIs. Here loopback has the meaning of the OAuth library
// (github.com/ory/fosite, IsLocalhost), which accepts only lower-case localhost
// and also its subdomains.
// +kubebuilder:validation:XValidation:rule=`!has(self.upstreamProviders) || self.upstreamProviders.all(p, (!has(p.oidcConfig) || !has(p.oidcConfig.redirectUri) || p.oidcConfig.redirectUri.startsWith('https:') || !isURL(p.oidcConfig.redirectUri) || [url(p.oidcConfig.redirectUri)].exists(u, u.getScheme() != 'http' || u.getHostname() == 'localhost' || u.getHostname().endsWith('.localhost') || u.getHostname().startsWith('127.') || u.getHostname().startsWith('::') || u.getHostname().startsWith('0:') || u.getHostname().startsWith('00'))) && ((!has(p.oauth2Config) || !has(p.oauth2Config.redirectUri) || p.oauth2Config.redirectUri.startsWith('https:') || !isURL(p.oauth2Config.redirectUri) || [url(p.oauth2Config.redirectUri)].exists(u, u.getScheme() != 'http' || u.getHostname() == 'localhost' || u.getHostname().endsWith('.localhost') || u.getHostname().startsWith('127.') || u.getHostname().startsWith('::') || u.getHostname().startsWith('0:') || u.getHostname().startsWith('00'))) || p.oauth2Config.?insecureAllowHTTP.orValue(false))) || self.?insecureAllowHTTP.orValue(false) || (oldSelf.hasValue() && !oldSelf.?insecureAllowHTTP.orValue(false) && has(oldSelf.value().upstreamProviders) && oldSelf.value().upstreamProviders.map(p, [p.?oidcConfig.?redirectUri, p.?oauth2Config.?insecureAllowHTTP.orValue(false) ? optional.none() : p.?oauth2Config.?redirectUri]) == self.upstreamProviders.map(p, [p.?oidcConfig.?redirectUri, p.?oauth2Config.?insecureAllowHTTP.orValue(false) ? optional.none() : p.?oauth2Config.?redirectUri]))`,message=`redirectUri of each upstream provider must be an https URI, or an http one on a loopback host: use https, or set insecureAllowHTTP on a trusted network`,reason=FieldValueInvalid,fieldPath=`.upstreamProviders`,optionalOldSelf=true
//
// pkg/authserver/config.go, validateUpstreamName: a provider without a name is
// called default, and only a single provider can be unnamed.
// +kubebuilder:validation:XValidation:rule=`size(self.?upstreamProviders.orValue([])) < 2 || !self.upstreamProviders.exists(p, p.name == 'default') || (oldSelf.hasValue() && has(oldSelf.value().upstreamProviders) && size(oldSelf.value().upstreamProviders) > 1 && oldSelf.value().upstreamProviders.exists(p, p.name == 'default'))`,message=`no upstream provider can have the name default where there are several: choose another name`,reason=FieldValueInvalid,fieldPath=`.upstreamProviders`,optionalOldSelf=true
//
// If scopesSupported is not empty, it contains every scope of the baseline. The
// message names the first missing scope and takes "(and 2 more)" from a list: the
// API server can't bound the length of string() of a number, so its cost estimate
// would be too high. The list has ten entries because a baseline has at most ten
// scopes.
// +kubebuilder:validation:XValidation:rule=`!has(self.scopesSupported) || !has(self.baselineClientScopes) || sets.contains(self.scopesSupported, self.baselineClientScopes) || size(self.scopesSupported) == 0 || (oldSelf.hasValue() && has(oldSelf.value().scopesSupported) && has(oldSelf.value().baselineClientScopes) && oldSelf.value().scopesSupported == self.scopesSupported && oldSelf.value().baselineClientScopes == self.baselineClientScopes)`,message=`every scope of baselineClientScopes must be in scopesSupported: add it there, or remove it from baselineClientScopes`,messageExpression=`[self.baselineClientScopes.filter(s, !(s in self.scopesSupported))].map(missing, 'scope "' + self.baselineClientScopes.filter(s, s == missing[0])[0] + '"' + ["", " (and 1 more)", " (and 2 more)", " (and 3 more)", " (and 4 more)", " (and 5 more)", " (and 6 more)", " (and 7 more)", " (and 8 more)", " (and 9 more)"][missing.size() - 1] + ' is not in scopesSupported: add it there, or remove it from baselineClientScopes')[0]`,reason=FieldValueInvalid,fieldPath=`.baselineClientScopes`,optionalOldSelf=true
//
// pkg/authserver/config.go, RunConfig.Validate: there is at least one way to get
// a token. A stored object without one stays editable until it gets one.
// +kubebuilder:validation:XValidation:rule=`size(self.?upstreamProviders.orValue([])) > 0 || size(self.?delegateClients.orValue([])) > 0 || size(self.?trustedIssuers.orValue([])) > 0 || has(self.inboundGrants) || (oldSelf.hasValue() && size(oldSelf.?upstreamProviders.orValue([])) == 0 && size(oldSelf.?delegateClients.orValue([])) == 0 && size(oldSelf.?trustedIssuers.orValue([])) == 0 && !oldSelf.?inboundGrants.hasValue())`,message=`upstreamProviders must name a provider, unless delegateClients, trustedIssuers or inboundGrants configure another way to get tokens`,reason=FieldValueRequired,fieldPath=`.upstreamProviders`,optionalOldSelf=true
//
// The same file: clients can't have secrets where insecureAllowHTTP is set. A
// stored object that has both stays editable, however it has them.
// +kubebuilder:validation:XValidation:rule=`!self.?insecureAllowHTTP.orValue(false) || !(self.?allowConfidentialClientRegistration.orValue(false) || size(self.?delegateClients.orValue([])) > 0) || (oldSelf.?insecureAllowHTTP.orValue(false) && (oldSelf.?allowConfidentialClientRegistration.orValue(false) || size(oldSelf.?delegateClients.orValue([])) > 0))`,message=`insecureAllowHTTP must not be true together with allowConfidentialClientRegistration or delegateClients, whose secrets would cross the network in the clear: set it to false`,reason=FieldValueForbidden,fieldPath=`.insecureAllowHTTP`,optionalOldSelf=true
//
// The same file: clients can't have secrets with an http issuer, unless its host
// is loopback and the flag for that is set. A stored object that breaks this rule
// stays editable while its issuer is unchanged.
// +kubebuilder:validation:XValidation:rule=`!self.issuer.startsWith('http://') || self.?insecureAllowConfidentialOverLoopbackHTTP.orValue(false) || !(self.?allowConfidentialClientRegistration.orValue(false) || size(self.?delegateClients.orValue([])) > 0) || (oldSelf.hasValue() && oldSelf.value().issuer == self.issuer && !oldSelf.?insecureAllowConfidentialOverLoopbackHTTP.orValue(false) && (oldSelf.?allowConfidentialClientRegistration.orValue(false) || size(oldSelf.?delegateClients.orValue([])) > 0))`,message=`issuer must be an https URL where allowConfidentialClientRegistration or delegateClients are used; for a loopback issuer, insecureAllowConfidentialOverLoopbackHTTP allows http`,reason=FieldValueInvalid,fieldPath=`.issuer`,optionalOldSelf=true
//
// The same file: redirect URIs that force a secret need clients that can register
// for one. Stored URIs that break this rule are accepted while they are
// unchanged.
// +kubebuilder:validation:XValidation:rule=`size(self.?forceConfidentialRedirectUris.orValue([])) == 0 || self.?allowConfidentialClientRegistration.orValue(false) || (oldSelf.hasValue() && has(oldSelf.value().forceConfidentialRedirectUris) && oldSelf.value().forceConfidentialRedirectUris == self.forceConfidentialRedirectUris && !oldSelf.?allowConfidentialClientRegistration.orValue(false))`,message=`forceConfidentialRedirectUris needs allowConfidentialClientRegistration: set that to true, or remove the URIs`,reason=FieldValueForbidden,fieldPath=`.forceConfidentialRedirectUris`,optionalOldSelf=true

// EmbeddedAuthServerConfig configures an OAuth authorization server that a
// workload runs. It is inline in a VirtualMCPServer (spec.authServerConfig) and
// shared through an MCPExternalAuthConfig (spec.embeddedAuthServer).
type EmbeddedAuthServerConfig struct {
	// ToolHive's pkg/authserver/config.go, validateIssuerURL: no userinfo, not
	// even an empty one.
	// +kubebuilder:validation:XValidation:rule=`!self.matches('^https?://[^/]*@')`,message=`the URL must have no user before its host: remove what stands before the @`,reason=FieldValueInvalid

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
	// +kubebuilder:validation:XValidation:rule=`!self.matches('^https?://[^/]*@')`,message=`the URL must have no user before its host: remove what stands before the @`,reason=FieldValueInvalid

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

	// ToolHive's pkg/authserver/config.go, ValidateForceConfidentialRedirectURIs:
	// not on a loopback host. The rule leaves rare spellings of ::1 to the auth
	// server.
	// +kubebuilder:validation:XValidation:rule=`!self.exists(uri, uri.matches(r'(?i)^https://([^/]*@)?(localhost|127([.](25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}|\[::1])(:\d*)?(/|$)'))`,message=`forceConfidentialRedirectUris must not have a URI on a loopback host, where a client can't keep a secret: remove it`,messageExpression=`'forceConfidentialRedirectUris has ' + self.filter(uri, uri.matches(r'(?i)^https://([^/]*@)?(localhost|127([.](25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}|\[::1])(:\d*)?(/|$)'))[0] + ', on a loopback host, where a client can\'t keep a secret: remove it'`,reason=FieldValueInvalid

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
// +kubebuilder:validation:XValidation:rule=`!self.enabled || !has(self.cacheFallbackTtl) || duration(self.cacheFallbackTtl) > duration('0s')`,message=`cacheFallbackTtl must be above zero where enabled is true: remove it for the default, or set enabled to false`,reason=FieldValueInvalid,fieldPath=`.cacheFallbackTtl`

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
	// +kubebuilder:validation:XValidation:rule=`duration(self) == duration('0s') || (duration(self) >= duration('1m') && duration(self) <= duration('24h'))`,message=`accessTokenLifespan must be from 1m to 24h`,reason=FieldValueInvalid

	// accessTokenLifespan is the lifespan of access tokens, from 1m to 24h. If
	// empty or zero: 1h.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	AccessTokenLifespan string `json:"accessTokenLifespan,omitempty"`

	// ToolHive's pkg/authserver/server/provider.go, validateTokenLifespans; zero
	// means the default (pkg/authserver/config.go, applyDefaults).
	// +kubebuilder:validation:XValidation:rule=`duration(self) == duration('0s') || (duration(self) >= duration('1h') && duration(self) <= duration('720h'))`,message=`refreshTokenLifespan must be from 1h to 720h`,reason=FieldValueInvalid

	// refreshTokenLifespan is the lifespan of refresh tokens, from 1h to 720h. If
	// empty or zero: 168h.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	RefreshTokenLifespan string `json:"refreshTokenLifespan,omitempty"`

	// ToolHive's pkg/authserver/server/provider.go, validateTokenLifespans; zero
	// means the default (pkg/authserver/config.go, applyDefaults).
	// +kubebuilder:validation:XValidation:rule=`duration(self) == duration('0s') || (duration(self) >= duration('30s') && duration(self) <= duration('10m'))`,message=`authCodeLifespan must be from 30s to 10m`,reason=FieldValueInvalid

	// authCodeLifespan is the lifespan of authorization codes, from 30s to 10m.
	// If empty or zero: 10m.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	AuthCodeLifespan string `json:"authCodeLifespan,omitempty"`
}
