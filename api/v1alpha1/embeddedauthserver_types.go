package v1alpha1

// The rules of this block reject what the auth server of every ToolHive release from
// v0.44.0 to v0.63.0 refuses at its start, whatever else the cluster holds.
//
// They read a URL by the API server's Go, ToolHive by its own, which can be newer: what
// is no URL is left to the auth server. Loopback is localhost in any letters (ſ is one
// of s), 127.0.0.0/8 and ::1 in any of its forms. A host that starts as such an address
// does, like 127.0.0.1.example.com, or ends with a bracket, is left to the auth server.
//
// pkg/authserver/config.go, validateIssuerURL: https, or http on a loopback host, or
// http with insecureAllowHTTP. The pattern keeps the scheme in small letters.
// +kubebuilder:validation:XValidation:rule=`self.issuer.startsWith('https:') || !isURL(self.issuer) || [url(self.issuer.lowerAscii()).getHostname()].exists(h, h in ['localhost', 'localhoſt'] || h.startsWith('127.') || h.startsWith('::') || h.startsWith('0:') || h.startsWith('00') || h.endsWith(']')) || self.?insecureAllowHTTP.orValue(false) || (oldSelf.hasValue() && oldSelf.value().issuer == self.issuer && !oldSelf.?insecureAllowHTTP.orValue(false))`,message=`issuer must be an https URL, or an http one on a loopback host: use https, or set insecureAllowHTTP on a trusted network`,messageExpression=`'issuer is ' + self.issuer + ': it must be an https URL, or an http one on a loopback host: use https, or set insecureAllowHTTP on a trusted network'`,reason=FieldValueInvalid,fieldPath=`.issuer`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!has(self.authorizationEndpointBaseUrl) || self.authorizationEndpointBaseUrl.startsWith('https:') || !isURL(self.authorizationEndpointBaseUrl) || [url(self.authorizationEndpointBaseUrl.lowerAscii()).getHostname()].exists(h, h in ['localhost', 'localhoſt'] || h.startsWith('127.') || h.startsWith('::') || h.startsWith('0:') || h.startsWith('00') || h.endsWith(']')) || self.?insecureAllowHTTP.orValue(false) || (oldSelf.?authorizationEndpointBaseUrl.orValue('') == self.authorizationEndpointBaseUrl && !oldSelf.?insecureAllowHTTP.orValue(false))`,message=`authorizationEndpointBaseUrl must be an https URL, or an http one on a loopback host: use https, or set insecureAllowHTTP on a trusted network`,messageExpression=`'authorizationEndpointBaseUrl is ' + self.authorizationEndpointBaseUrl + ': it must be an https URL, or an http one on a loopback host: use https, or set insecureAllowHTTP on a trusted network'`,reason=FieldValueInvalid,fieldPath=`.authorizationEndpointBaseUrl`,optionalOldSelf=true
//
// pkg/authserver/upstream/oauth2.go, OAuth2Config.ValidateWithInsecure: the same for
// both endpoints of an OAuth 2.0 provider. Its own flag counts as much as that of all.
// +kubebuilder:validation:XValidation:rule=`!has(self.upstreamProviders) || self.upstreamProviders.all(p, !has(p.oauth2Config) || ((p.oauth2Config.authorizationEndpoint.startsWith('https:') || !isURL(p.oauth2Config.authorizationEndpoint) || [url(p.oauth2Config.authorizationEndpoint.lowerAscii()).getHostname()].exists(h, h in ['localhost', 'localhoſt'] || h.startsWith('127.') || h.startsWith('::') || h.startsWith('0:') || h.startsWith('00') || h.endsWith(']'))) && (p.oauth2Config.tokenEndpoint.startsWith('https:') || !isURL(p.oauth2Config.tokenEndpoint) || [url(p.oauth2Config.tokenEndpoint.lowerAscii()).getHostname()].exists(h, h in ['localhost', 'localhoſt'] || h.startsWith('127.') || h.startsWith('::') || h.startsWith('0:') || h.startsWith('00') || h.endsWith(']')))) || p.oauth2Config.?insecureAllowHTTP.orValue(false)) || self.?insecureAllowHTTP.orValue(false) || (oldSelf.hasValue() && !oldSelf.?insecureAllowHTTP.orValue(false) && has(oldSelf.value().upstreamProviders) && oldSelf.value().upstreamProviders.map(p, p.?oauth2Config.?insecureAllowHTTP.orValue(false) ? [] : [p.?oauth2Config.?authorizationEndpoint, p.?oauth2Config.?tokenEndpoint]) == self.upstreamProviders.map(p, p.?oauth2Config.?insecureAllowHTTP.orValue(false) ? [] : [p.?oauth2Config.?authorizationEndpoint, p.?oauth2Config.?tokenEndpoint]))`,message=`authorizationEndpoint and tokenEndpoint of each oauth2Config must be https URLs, or http ones on a loopback host: use https, or set insecureAllowHTTP on a trusted network`,reason=FieldValueInvalid,fieldPath=`.upstreamProviders`,optionalOldSelf=true
//
// The same file, CommonOAuthConfig.ValidateWithInsecure: the same for redirect URIs, but
// loopback is what the OAuth library takes for it (github.com/ory/fosite, IsLocalhost):
// localhost in small letters, and the names below it.
// +kubebuilder:validation:XValidation:rule=`!has(self.upstreamProviders) || self.upstreamProviders.all(p, (!has(p.oidcConfig) || !has(p.oidcConfig.redirectUri) || p.oidcConfig.redirectUri.startsWith('https:') || !isURL(p.oidcConfig.redirectUri) || [url(p.oidcConfig.redirectUri)].exists(u, u.getScheme() != 'http' || u.getHostname() == 'localhost' || u.getHostname().endsWith('.localhost') || u.getHostname().startsWith('127.') || u.getHostname().startsWith('::') || u.getHostname().startsWith('0:') || u.getHostname().startsWith('00'))) && ((!has(p.oauth2Config) || !has(p.oauth2Config.redirectUri) || p.oauth2Config.redirectUri.startsWith('https:') || !isURL(p.oauth2Config.redirectUri) || [url(p.oauth2Config.redirectUri)].exists(u, u.getScheme() != 'http' || u.getHostname() == 'localhost' || u.getHostname().endsWith('.localhost') || u.getHostname().startsWith('127.') || u.getHostname().startsWith('::') || u.getHostname().startsWith('0:') || u.getHostname().startsWith('00'))) || p.oauth2Config.?insecureAllowHTTP.orValue(false))) || self.?insecureAllowHTTP.orValue(false) || (oldSelf.hasValue() && !oldSelf.?insecureAllowHTTP.orValue(false) && has(oldSelf.value().upstreamProviders) && oldSelf.value().upstreamProviders.map(p, [p.?oidcConfig.?redirectUri, p.?oauth2Config.?insecureAllowHTTP.orValue(false) ? optional.none() : p.?oauth2Config.?redirectUri]) == self.upstreamProviders.map(p, [p.?oidcConfig.?redirectUri, p.?oauth2Config.?insecureAllowHTTP.orValue(false) ? optional.none() : p.?oauth2Config.?redirectUri]))`,message=`redirectUri of each upstream provider must be an https URI, or an http one on a loopback host: use https, or set insecureAllowHTTP on a trusted network`,reason=FieldValueInvalid,fieldPath=`.upstreamProviders`,optionalOldSelf=true
//
// pkg/authserver/config.go, validateUpstreamName: default is the name of a provider
// that has none, which one alone can be.
// +kubebuilder:validation:XValidation:rule=`size(self.?upstreamProviders.orValue([])) < 2 || !self.upstreamProviders.exists(p, p.name == 'default') || (oldSelf.hasValue() && has(oldSelf.value().upstreamProviders) && size(oldSelf.value().upstreamProviders) > 1 && oldSelf.value().upstreamProviders.exists(p, p.name == 'default'))`,message=`no upstream provider can have the name default where there are several: choose another name`,reason=FieldValueInvalid,fieldPath=`.upstreamProviders`,optionalOldSelf=true
//
// Every scope of the baseline is in scopesSupported, if that is not empty. The message
// names the first that is missing, and takes "(and 2 more)" from a list: string() of a
// number has no bound that the API server can estimate, so it would cost too much. The
// list needs ten entries, as a baseline has at most ten scopes.
// +kubebuilder:validation:XValidation:rule=`!has(self.scopesSupported) || !has(self.baselineClientScopes) || sets.contains(self.scopesSupported, self.baselineClientScopes) || size(self.scopesSupported) == 0 || (oldSelf.hasValue() && has(oldSelf.value().scopesSupported) && has(oldSelf.value().baselineClientScopes) && oldSelf.value().scopesSupported == self.scopesSupported && oldSelf.value().baselineClientScopes == self.baselineClientScopes)`,message=`every scope of baselineClientScopes must be in scopesSupported: add it there, or remove it from baselineClientScopes`,messageExpression=`[self.baselineClientScopes.filter(s, !(s in self.scopesSupported))].map(missing, 'scope "' + self.baselineClientScopes.filter(s, s == missing[0])[0] + '"' + ["", " (and 1 more)", " (and 2 more)", " (and 3 more)", " (and 4 more)", " (and 5 more)", " (and 6 more)", " (and 7 more)", " (and 8 more)", " (and 9 more)"][missing.size() - 1] + ' is not in scopesSupported: add it there, or remove it from baselineClientScopes')[0]`,reason=FieldValueInvalid,fieldPath=`.baselineClientScopes`,optionalOldSelf=true
//
// pkg/authserver/config.go, RunConfig.Validate: there is some way to get a token. An
// object without any that is stored stays editable while it has none.
// +kubebuilder:validation:XValidation:rule=`size(self.?upstreamProviders.orValue([])) > 0 || size(self.?delegateClients.orValue([])) > 0 || size(self.?trustedIssuers.orValue([])) > 0 || has(self.inboundGrants) || (oldSelf.hasValue() && size(oldSelf.?upstreamProviders.orValue([])) == 0 && size(oldSelf.?delegateClients.orValue([])) == 0 && size(oldSelf.?trustedIssuers.orValue([])) == 0 && !oldSelf.?inboundGrants.hasValue())`,message=`upstreamProviders must name a provider, unless delegateClients, trustedIssuers or inboundGrants configure another way to get tokens`,reason=FieldValueRequired,fieldPath=`.upstreamProviders`,optionalOldSelf=true
//
// The same file: clients have no secrets where http is allowed. Stored objects stay
// editable while both are set, whichever way.
// +kubebuilder:validation:XValidation:rule=`!self.?insecureAllowHTTP.orValue(false) || !(self.?allowConfidentialClientRegistration.orValue(false) || size(self.?delegateClients.orValue([])) > 0) || (oldSelf.?insecureAllowHTTP.orValue(false) && (oldSelf.?allowConfidentialClientRegistration.orValue(false) || size(oldSelf.?delegateClients.orValue([])) > 0))`,message=`insecureAllowHTTP must not be true together with allowConfidentialClientRegistration or delegateClients, whose secrets would cross the network in the clear: set it to false`,reason=FieldValueForbidden,fieldPath=`.insecureAllowHTTP`,optionalOldSelf=true
//
// The same file: an http issuer has no clients with secrets, but on a loopback host with
// the flag for it. Stored objects stay editable while the issuer is the same, and nothing
// else of this was right before.
// +kubebuilder:validation:XValidation:rule=`!self.issuer.startsWith('http://') || self.?insecureAllowConfidentialOverLoopbackHTTP.orValue(false) || !(self.?allowConfidentialClientRegistration.orValue(false) || size(self.?delegateClients.orValue([])) > 0) || (oldSelf.hasValue() && oldSelf.value().issuer == self.issuer && !oldSelf.?insecureAllowConfidentialOverLoopbackHTTP.orValue(false) && (oldSelf.?allowConfidentialClientRegistration.orValue(false) || size(oldSelf.?delegateClients.orValue([])) > 0))`,message=`issuer must be an https URL where allowConfidentialClientRegistration or delegateClients are used; for a loopback issuer, insecureAllowConfidentialOverLoopbackHTTP allows http`,reason=FieldValueInvalid,fieldPath=`.issuer`,optionalOldSelf=true
//
// The same file: URIs that must have a secret need clients that can have one. Stored URIs
// stay while they are the same and the clients can't have one either.
// +kubebuilder:validation:XValidation:rule=`size(self.?forceConfidentialRedirectUris.orValue([])) == 0 || self.?allowConfidentialClientRegistration.orValue(false) || (oldSelf.hasValue() && has(oldSelf.value().forceConfidentialRedirectUris) && oldSelf.value().forceConfidentialRedirectUris == self.forceConfidentialRedirectUris && !oldSelf.?allowConfidentialClientRegistration.orValue(false))`,message=`forceConfidentialRedirectUris needs allowConfidentialClientRegistration: set that to true, or remove the URIs`,reason=FieldValueForbidden,fieldPath=`.forceConfidentialRedirectUris`,optionalOldSelf=true

// EmbeddedAuthServerConfig configures an OAuth authorization server that a
// workload runs. It is inline in a VirtualMCPServer (spec.authServerConfig) and
// shared through an MCPExternalAuthConfig (spec.embeddedAuthServer).
type EmbeddedAuthServerConfig struct {
	// ToolHive's pkg/authserver/config.go, validateIssuerURL: no userinfo, not even an
	// empty one.
	// +kubebuilder:validation:XValidation:rule=`!self.matches('^https?://[^/]*@')`,message=`the URL must have no user before its host: remove what stands before the @`,reason=FieldValueInvalid

	// issuer is the auth server's identifier, the iss claim of the tokens that it
	// issues: an https URL without query, fragment or trailing slash (RFC 8414).
	// http is for loopback hosts, and for others with insecureAllowHTTP.
	// Example: https://auth.example.com.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s?#]+[^/\s?#]$`
	// +required
	Issuer string `json:"issuer"`

	// ToolHive's pkg/authserver/config.go, validateIssuerURL: no userinfo, not even an
	// empty one.
	// +kubebuilder:validation:XValidation:rule=`!self.matches('^https?://[^/]*@')`,message=`the URL must have no user before its host: remove what stands before the @`,reason=FieldValueInvalid

	// authorizationEndpointBaseUrl replaces the issuer in the authorization
	// endpoint that discovery advertises, for browsers that reach the auth server
	// under another host. If empty, the issuer is used.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s?#]+[^/\s?#]$`
	// +optional
	AuthorizationEndpointBaseURL string `json:"authorizationEndpointBaseUrl,omitempty"`

	// signingKeySecretRefs name the keys that sign tokens: the first signs, the
	// others are those before it. If empty, the auth server makes a key at each start,
	// which ends the validity of all earlier tokens.
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	SigningKeySecretRefs []SecretKeyRef `json:"signingKeySecretRefs,omitempty"`

	// hmacSecretRefs name the secrets, of 32 bytes or more, for authorization
	// codes and refresh tokens: the first signs, the others still verify. If
	// empty, the auth server makes one at each start.
	// +listType=atomic
	// +optional
	HMACSecretRefs []SecretKeyRef `json:"hmacSecretRefs,omitempty"`

	// tokenLifespans are how long tokens are valid. If absent, the auth server's
	// defaults apply.
	// +optional
	TokenLifespans *TokenLifespanConfig `json:"tokenLifespans,omitempty"`

	// spiffeTrustDomains are the SPIFFE trust domains of clients. Read by
	// ToolHive alone.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	SPIFFETrustDomains []OpaqueObject `json:"spiffeTrustDomains,omitempty"`

	// inboundGrants are the grants beside authorization codes. Read by ToolHive
	// alone.
	// +optional
	InboundGrants *OpaqueObject `json:"inboundGrants,omitempty"`

	// upstreamProviders are the identity providers at which users log in. An
	// MCPServer and an MCPRemoteProxy can have one, a VirtualMCPServer several.
	// +kubebuilder:validation:MaxItems=100
	// +listType=map
	// +listMapKey=name
	// +optional
	UpstreamProviders []UpstreamProviderConfig `json:"upstreamProviders,omitempty"`

	// primaryUpstreamProvider names the upstream provider whose claims ToolHive's
	// authorization reads on a VirtualMCPServer. It does not reach the auth server.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +optional
	PrimaryUpstreamProvider string `json:"primaryUpstreamProvider,omitempty"`

	// registrationRateLimit bounds how often clients may register. Read by ToolHive
	// alone, from v0.56.0 on.
	// +optional
	RegistrationRateLimit *OpaqueObject `json:"registrationRateLimit,omitempty"`

	// tlsListener is a second listener of the auth server, with TLS. Read by
	// ToolHive alone, from v0.63.0 on.
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

	// insecureAllowHTTP permits an http issuer on a host that is not loopback, for
	// traffic that never leaves a trusted network.
	// +kubebuilder:default=false
	// +optional
	InsecureAllowHTTP bool `json:"insecureAllowHTTP,omitempty"`

	// scopesSupported are the effective scopes of the auth server outright: what
	// it advertises and what clients may request, whatever the consumers say.
	// Every entry of baselineClientScopes must be one of them. If empty, the
	// effective scopes are the consumer's oidcConfigRef.scopes, and if those are
	// empty too, the auth server's defaults: openid, profile, email and
	// offline_access. scopegate adds this field; ToolHive's own CRDs do not have
	// it. Example: [openid, profile, offline_access].
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^[\x21\x23-\x5B\x5D-\x7E]+$`
	// +listType=atomic
	// +optional
	ScopesSupported []string `json:"scopesSupported,omitempty"`

	// baselineClientScopes are the scopes that every dynamically registered client
	// gets, whatever it asks for (RFC 7591). Rule: each must be among the
	// effective scopes of the auth server, which are scopesSupported, or else the
	// consumer's oidcConfigRef.scopes, or else openid, profile, email and
	// offline_access. Scopes match to the letter, upper and lower case apart
	// (RFC 6749 section 3.3). The auth server refuses to start on any other, so
	// such a config is rejected where this object alone tells, and otherwise shown
	// by the condition BaselineScopesValid and never rolled out. Default: empty,
	// clients get what they ask for. Keep it narrow: every client is granted it.
	// Example: [openid, offline_access].
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^[\x21\x23-\x5B\x5D-\x7E]+$`
	// +listType=atomic
	// +optional
	BaselineClientScopes []string `json:"baselineClientScopes,omitempty"`

	// allowConfidentialClientRegistration lets clients register for a secret.
	// Registration is open to whoever reaches the auth server.
	// +kubebuilder:default=false
	// +optional
	AllowConfidentialClientRegistration bool `json:"allowConfidentialClientRegistration,omitempty"`

	// allowPrivateKeyJWTRegistration lets clients register for private_key_jwt
	// authentication.
	// +kubebuilder:default=false
	// +optional
	AllowPrivateKeyJWTRegistration bool `json:"allowPrivateKeyJWTRegistration,omitempty"`

	// insecureAllowConfidentialOverLoopbackHTTP permits clients with a secret on
	// an http issuer whose host is loopback, for development.
	// +kubebuilder:default=false
	// +optional
	InsecureAllowConfidentialOverLoopbackHTTP bool `json:"insecureAllowConfidentialOverLoopbackHTTP,omitempty"`

	// delegateClients are clients for token exchange (RFC 8693). Read by ToolHive
	// alone.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +optional
	DelegateClients []OpaqueObject `json:"delegateClients,omitempty"`

	// trustedIssuers are other issuers whose tokens are accepted. Read by ToolHive
	// alone.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	TrustedIssuers []OpaqueObject `json:"trustedIssuers,omitempty"`

	// ToolHive's pkg/authserver/config.go, ValidateForceConfidentialRedirectURIs: not on a
	// loopback host. Rare ways to write ::1 are left to the auth server.
	// +kubebuilder:validation:XValidation:rule=`!self.exists(uri, uri.matches(r'(?i)^https://([^/]*@)?(localhost|127([.](25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}|\[::1])(:\d*)?(/|$)'))`,message=`forceConfidentialRedirectUris must not have a URI on a loopback host, where a client can't keep a secret: remove it`,messageExpression=`'forceConfidentialRedirectUris has ' + self.filter(uri, uri.matches(r'(?i)^https://([^/]*@)?(localhost|127([.](25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}|\[::1])(:\d*)?(/|$)'))[0] + ', on a loopback host, where a client can\'t keep a secret: remove it'`,reason=FieldValueInvalid

	// forceConfidentialRedirectUris are redirect URIs whose clients get a secret
	// although they did not ask for one. It needs
	// allowConfidentialClientRegistration.
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MaxLength=1024
	// +kubebuilder:validation:items:Pattern=`^https://[^\s?#]+$`
	// +listType=atomic
	// +optional
	ForceConfidentialRedirectURIs []string `json:"forceConfidentialRedirectUris,omitempty"`

	// cimd configures client ID metadata documents: clients whose identifier is
	// the URL of their description. If absent, they are refused.
	// +optional
	CIMD *CIMDConfig `json:"cimd,omitempty"`
}

// ToolHive's pkg/authserver/config.go, CIMDRunConfig.Validate: above zero; less than a
// nanosecond is zero. It is not read while enabled is false.
// +kubebuilder:validation:XValidation:rule=`!self.enabled || !has(self.cacheFallbackTtl) || duration(self.cacheFallbackTtl) > duration('0s')`,message=`cacheFallbackTtl must be above zero where enabled is true: remove it for the default, or set enabled to false`,reason=FieldValueInvalid,fieldPath=`.cacheFallbackTtl`

// CIMDConfig configures client ID metadata documents.
type CIMDConfig struct {
	// enabled reports whether clients may be described by such documents.
	// +kubebuilder:default=false
	// +required
	Enabled bool `json:"enabled"`

	// cacheMaxSize is how many documents are kept. If absent: 256.
	// +kubebuilder:validation:Minimum=1
	// +optional
	CacheMaxSize int `json:"cacheMaxSize,omitempty"`

	// cacheFallbackTtl is how long a document is kept, a Go duration. If empty:
	// 5m.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	CacheFallbackTTL string `json:"cacheFallbackTtl,omitempty"`
}

// TokenLifespanConfig is how long the tokens of an auth server are valid, each
// as a Go duration such as 30m or 168h.
type TokenLifespanConfig struct {
	// ToolHive's pkg/authserver/server/provider.go, validateTokenLifespans; zero stands for
	// the default (pkg/authserver/config.go, applyDefaults).
	// +kubebuilder:validation:XValidation:rule=`duration(self) == duration('0s') || (duration(self) >= duration('1m') && duration(self) <= duration('24h'))`,message=`accessTokenLifespan must be from 1m to 24h`,reason=FieldValueInvalid

	// accessTokenLifespan of access tokens. From 1m to 24h. If empty or zero: 1h.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	AccessTokenLifespan string `json:"accessTokenLifespan,omitempty"`

	// ToolHive's pkg/authserver/server/provider.go, validateTokenLifespans; zero stands for
	// the default (pkg/authserver/config.go, applyDefaults).
	// +kubebuilder:validation:XValidation:rule=`duration(self) == duration('0s') || (duration(self) >= duration('1h') && duration(self) <= duration('720h'))`,message=`refreshTokenLifespan must be from 1h to 720h`,reason=FieldValueInvalid

	// refreshTokenLifespan of refresh tokens. From 1h to 720h. If empty or zero: 168h.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	RefreshTokenLifespan string `json:"refreshTokenLifespan,omitempty"`

	// ToolHive's pkg/authserver/server/provider.go, validateTokenLifespans; zero stands for
	// the default (pkg/authserver/config.go, applyDefaults).
	// +kubebuilder:validation:XValidation:rule=`duration(self) == duration('0s') || (duration(self) >= duration('30s') && duration(self) <= duration('10m'))`,message=`authCodeLifespan must be from 30s to 10m`,reason=FieldValueInvalid

	// authCodeLifespan of authorization codes. From 30s to 10m. If empty or zero: 10m.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	AuthCodeLifespan string `json:"authCodeLifespan,omitempty"`
}
