package v1alpha1

// EmbeddedAuthServerConfig configures an OAuth authorization server that a
// workload runs. It is inline in a VirtualMCPServer (spec.authServerConfig) and
// shared through an MCPExternalAuthConfig (spec.embeddedAuthServer).
//
// +kubebuilder:validation:XValidation:rule=`!has(self.scopesSupported) || !has(self.baselineClientScopes) || sets.contains(self.scopesSupported, self.baselineClientScopes) || size(self.scopesSupported) == 0 || (oldSelf.hasValue() && has(oldSelf.value().scopesSupported) && has(oldSelf.value().baselineClientScopes) && oldSelf.value().scopesSupported == self.scopesSupported && oldSelf.value().baselineClientScopes == self.baselineClientScopes)`,message=`every scope of baselineClientScopes must be in scopesSupported: add it there, or remove it from baselineClientScopes`,messageExpression=`[self.baselineClientScopes.filter(s, !(s in self.scopesSupported))].map(missing, 'scope "' + self.baselineClientScopes.filter(s, s == missing[0])[0] + '"' + ["", " (and 1 more)", " (and 2 more)", " (and 3 more)", " (and 4 more)", " (and 5 more)", " (and 6 more)", " (and 7 more)", " (and 8 more)", " (and 9 more)"][missing.size() - 1] + ' is not in scopesSupported: add it there, or remove it from baselineClientScopes')[0]`,reason=FieldValueInvalid,fieldPath=`.baselineClientScopes`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`size(self.?upstreamProviders.orValue([])) > 0 || size(self.?delegateClients.orValue([])) > 0 || size(self.?trustedIssuers.orValue([])) > 0 || has(self.inboundGrants) || (oldSelf.hasValue() && size(oldSelf.?upstreamProviders.orValue([])) == 0 && size(oldSelf.?delegateClients.orValue([])) == 0 && size(oldSelf.?trustedIssuers.orValue([])) == 0 && !oldSelf.?inboundGrants.hasValue())`,message=`upstreamProviders must name a provider, unless delegateClients, trustedIssuers or inboundGrants configure another way to get tokens`,reason=FieldValueRequired,fieldPath=`.upstreamProviders`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!self.?insecureAllowHTTP.orValue(false) || !(self.?allowConfidentialClientRegistration.orValue(false) || size(self.?delegateClients.orValue([])) > 0) || (oldSelf.?insecureAllowHTTP.orValue(false) && (oldSelf.?allowConfidentialClientRegistration.orValue(false) || size(oldSelf.?delegateClients.orValue([])) > 0))`,message=`insecureAllowHTTP must not be true together with allowConfidentialClientRegistration or delegateClients, whose secrets would cross the network in the clear: set it to false`,reason=FieldValueForbidden,fieldPath=`.insecureAllowHTTP`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!self.issuer.startsWith('http://') || self.?insecureAllowConfidentialOverLoopbackHTTP.orValue(false) || !(self.?allowConfidentialClientRegistration.orValue(false) || size(self.?delegateClients.orValue([])) > 0) || (oldSelf.hasValue() && oldSelf.value().issuer == self.issuer && !oldSelf.?insecureAllowConfidentialOverLoopbackHTTP.orValue(false) && (oldSelf.?allowConfidentialClientRegistration.orValue(false) || size(oldSelf.?delegateClients.orValue([])) > 0))`,message=`issuer must be an https URL where allowConfidentialClientRegistration or delegateClients are used; for a loopback issuer, insecureAllowConfidentialOverLoopbackHTTP allows http`,reason=FieldValueInvalid,fieldPath=`.issuer`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`size(self.?forceConfidentialRedirectUris.orValue([])) == 0 || self.?allowConfidentialClientRegistration.orValue(false) || (oldSelf.hasValue() && has(oldSelf.value().forceConfidentialRedirectUris) && oldSelf.value().forceConfidentialRedirectUris == self.forceConfidentialRedirectUris && !oldSelf.?allowConfidentialClientRegistration.orValue(false))`,message=`forceConfidentialRedirectUris needs allowConfidentialClientRegistration: set that to true, or remove the URIs`,reason=FieldValueForbidden,fieldPath=`.forceConfidentialRedirectUris`,optionalOldSelf=true
type EmbeddedAuthServerConfig struct {
	// issuer is the auth server's identifier, the iss claim of the tokens that it
	// issues: an https URL without query, fragment or trailing slash (RFC 8414).
	// http is for loopback hosts, and for others with insecureAllowHTTP.
	// Example: https://auth.example.com.
	// +kubebuilder:validation:Pattern=`^https?://[^\s?#]+[^/\s?#]$`
	// +required
	Issuer string `json:"issuer"`

	// authorizationEndpointBaseUrl replaces the issuer in the authorization
	// endpoint that discovery advertises, for browsers that reach the auth server
	// under another host. If empty, the issuer is used.
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

	// forceConfidentialRedirectUris are redirect URIs whose clients get a secret
	// although they did not ask for one. It needs
	// allowConfidentialClientRegistration.
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:Pattern=`^https://[^\s?#]+$`
	// +listType=atomic
	// +optional
	ForceConfidentialRedirectURIs []string `json:"forceConfidentialRedirectUris,omitempty"`

	// cimd configures client ID metadata documents: clients whose identifier is
	// the URL of their description. If absent, they are refused.
	// +optional
	CIMD *CIMDConfig `json:"cimd,omitempty"`
}

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
	// accessTokenLifespan of access tokens. If empty: 1h.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	AccessTokenLifespan string `json:"accessTokenLifespan,omitempty"`

	// refreshTokenLifespan of refresh tokens. If empty: 168h.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	RefreshTokenLifespan string `json:"refreshTokenLifespan,omitempty"`

	// authCodeLifespan of authorization codes. If empty: 10m.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +optional
	AuthCodeLifespan string `json:"authCodeLifespan,omitempty"`
}
