package v1alpha1

// UpstreamProviderType is the protocol of an upstream provider.
type UpstreamProviderType string

// The protocols of upstream providers.
const (
	// UpstreamProviderTypeOIDC is OpenID Connect: endpoints are discovered from
	// the issuer.
	UpstreamProviderTypeOIDC UpstreamProviderType = "oidc"
	// UpstreamProviderTypeOAuth2 is plain OAuth 2.0: endpoints are given.
	UpstreamProviderTypeOAuth2 UpstreamProviderType = "oauth2"
)

// The config of the provider's type is set, and that of the other is not. Stored objects
// stay editable while neither the type nor what is set changes.
// +kubebuilder:validation:XValidation:rule=`(self.type == 'oidc') == has(self.oidcConfig) || (oldSelf.?type.orValue("") == self.type && oldSelf.?oidcConfig.hasValue() == has(self.oidcConfig))`,message=`oidcConfig must be set if and only if type is oidc`,reason=FieldValueInvalid,fieldPath=`.oidcConfig`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`(self.type == 'oauth2') == has(self.oauth2Config) || (oldSelf.?type.orValue("") == self.type && oldSelf.?oauth2Config.hasValue() == has(self.oauth2Config))`,message=`oauth2Config must be set if and only if type is oauth2`,reason=FieldValueInvalid,fieldPath=`.oauth2Config`,optionalOldSelf=true

// UpstreamProviderConfig is an identity provider at which users log in.
type UpstreamProviderConfig struct {
	// name tells the provider apart from the others.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +required
	Name string `json:"name"`

	// type is the provider's protocol: oidc with oidcConfig, or oauth2 with
	// oauth2Config.
	// +kubebuilder:validation:Enum=oidc;oauth2
	// +required
	Type UpstreamProviderType `json:"type"`

	// oidcConfig is the provider of type oidc.
	// +optional
	OIDCConfig *OIDCUpstreamConfig `json:"oidcConfig,omitempty"`

	// oauth2Config is the provider of type oauth2.
	// +optional
	OAuth2Config *OAuth2UpstreamConfig `json:"oauth2Config,omitempty"`
}

// ToolHive's pkg/authserver/config.go, OAuth2UpstreamRunConfig.Validate: a client id, or dynamic client
// registration, which brings one with its secret; and a CA bundle has a ConfigMap. An empty
// client id counts as none. Stored objects stay editable while none of this changes.
// +kubebuilder:validation:XValidation:rule=`(self.?clientId.orValue("") != "") != has(self.dcrConfig) || (oldSelf.hasValue() && (oldSelf.?clientId.orValue("") != "") == (self.?clientId.orValue("") != "") && oldSelf.?dcrConfig.hasValue() == has(self.dcrConfig))`,message=`exactly one of clientId and dcrConfig must be set`,reason=FieldValueInvalid,fieldPath=`.clientId`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!(has(self.dcrConfig) && has(self.clientSecretRef)) || (oldSelf.?dcrConfig.hasValue() && oldSelf.?clientSecretRef.hasValue())`,message=`clientSecretRef must not be set together with dcrConfig, which gets the secret by registration`,reason=FieldValueForbidden,fieldPath=`.clientSecretRef`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!has(self.caBundleRef) || self.caBundleRef.?configMapRef.?name.orValue("") != "" || (oldSelf.?caBundleRef.hasValue() && oldSelf.?caBundleRef.?configMapRef.?name.orValue("") == "")`,message=`caBundleRef.configMapRef.name must be set: it names the ConfigMap that holds the CA bundle`,reason=FieldValueRequired,fieldPath=`.caBundleRef.configMapRef`,optionalOldSelf=true

// OIDCUpstreamConfig is an OpenID Connect provider.
type OIDCUpstreamConfig struct {
	// issuerUrl is where the provider's discovery document is found.
	// +kubebuilder:validation:Pattern=`^https://.*$`
	// +required
	IssuerURL string `json:"issuerUrl"`

	// clientId is the auth server's client at the provider. Exactly one of
	// clientId and dcrConfig is set.
	// +optional
	ClientID string `json:"clientId,omitempty"`

	// clientSecretRef names the client's secret. Absent for a public client.
	// +optional
	ClientSecretRef *SecretKeyRef `json:"clientSecretRef,omitempty"`

	// ToolHive's pkg/oauthproto/redirect.go, ValidateRedirectURI: http or https, in any
	// letters, and no fragment but an empty one. On which host http is allowed is a rule of
	// EmbeddedAuthServerConfig.
	// +kubebuilder:validation:XValidation:rule=`self == '' || self.matches('(?i)^https?:[^#]*#?$')`,message=`redirectUri must be an absolute http or https URI without a fragment`,reason=FieldValueInvalid

	// redirectUri at which the provider answers. If empty, it is
	// /oauth/callback under the resource URL.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	RedirectURI string `json:"redirectUri,omitempty"`

	// scopes that are requested from the provider. They have no bearing on
	// baselineClientScopes.
	// +listType=atomic
	// +optional
	Scopes []string `json:"scopes,omitempty"`

	// userInfoOverride replaces the discovered userinfo endpoint.
	// +optional
	UserInfoOverride *UserInfoConfig `json:"userInfoOverride,omitempty"`

	// additionalAuthorizationParams are added to the authorization request.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	AdditionalAuthorizationParams map[string]string `json:"additionalAuthorizationParams,omitempty"`

	// additionalTokenParams are added to the token requests. Read by ToolHive
	// alone, from v0.50.0 on.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	AdditionalTokenParams map[string]string `json:"additionalTokenParams,omitempty"`

	// omitScopeOnRefresh leaves the scopes out of requests that refresh a token.
	// Read by ToolHive alone, from v0.56.0 on.
	// +optional
	OmitScopeOnRefresh bool `json:"omitScopeOnRefresh,omitempty"`

	// subjectClaim names the claim of the ID token that identifies the user. If
	// empty: sub.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^([a-zA-Z_][a-zA-Z0-9_]*)?$`
	// +optional
	SubjectClaim string `json:"subjectClaim,omitempty"`

	// dcrConfig registers the auth server's client at the provider when it starts.
	// Read by ToolHive alone, from v0.48.0 on.
	// +optional
	DCRConfig *OpaqueObject `json:"dcrConfig,omitempty"`

	// caBundleRef names the CA certificates that verify the provider. If absent,
	// the system's are used.
	// +optional
	CABundleRef *CABundleSource `json:"caBundleRef,omitempty"`

	// allowPrivateIPs permits a provider on a private address.
	// +optional
	AllowPrivateIPs bool `json:"allowPrivateIPs,omitempty"`
}

// The same as for OpenID Connect.
// +kubebuilder:validation:XValidation:rule=`(self.?clientId.orValue("") != "") != has(self.dcrConfig) || (oldSelf.hasValue() && (oldSelf.?clientId.orValue("") != "") == (self.?clientId.orValue("") != "") && oldSelf.?dcrConfig.hasValue() == has(self.dcrConfig))`,message=`exactly one of clientId and dcrConfig must be set`,reason=FieldValueInvalid,fieldPath=`.clientId`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!(has(self.dcrConfig) && has(self.clientSecretRef)) || (oldSelf.?dcrConfig.hasValue() && oldSelf.?clientSecretRef.hasValue())`,message=`clientSecretRef must not be set together with dcrConfig, which gets the secret by registration`,reason=FieldValueForbidden,fieldPath=`.clientSecretRef`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!has(self.caBundleRef) || self.caBundleRef.?configMapRef.?name.orValue("") != "" || (oldSelf.?caBundleRef.hasValue() && oldSelf.?caBundleRef.?configMapRef.?name.orValue("") == "")`,message=`caBundleRef.configMapRef.name must be set: it names the ConfigMap that holds the CA bundle`,reason=FieldValueRequired,fieldPath=`.caBundleRef.configMapRef`,optionalOldSelf=true

// OAuth2UpstreamConfig is an OAuth 2.0 provider without OpenID Connect.
type OAuth2UpstreamConfig struct {
	// authorizationEndpoint to which users are sent.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https?://.*$`
	// +required
	AuthorizationEndpoint string `json:"authorizationEndpoint"`

	// tokenEndpoint at which codes become tokens.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https?://.*$`
	// +required
	TokenEndpoint string `json:"tokenEndpoint"`

	// ToolHive's pkg/authserver/upstream/userinfo_config.go, Validate: https, or http on a
	// loopback host (see EmbeddedAuthServerConfig), whatever the flags. The auth server does
	// not read userInfoOverride of an OpenID provider, so the rule is not for that.
	// +kubebuilder:validation:XValidation:rule=`self.endpointUrl.startsWith('https:') || !isURL(self.endpointUrl) || [url(self.endpointUrl.lowerAscii()).getHostname()].exists(h, h in ['localhost', 'localhoſt'] || h.startsWith('127.') || h.startsWith('::') || h.startsWith('0:') || h.startsWith('00') || h.endsWith(']'))`,message=`endpointUrl must be an https URL, or an http one on a loopback host`,messageExpression=`'endpointUrl is ' + self.endpointUrl + ': it must be an https URL, or an http one on a loopback host'`,reason=FieldValueInvalid,fieldPath=`.endpointUrl`

	// userInfo is how the user is identified. If absent, identityFromToken or a
	// synthetic identity is used.
	// +optional
	UserInfo *UserInfoConfig `json:"userInfo,omitempty"`

	// clientId is the auth server's client at the provider. Exactly one of
	// clientId and dcrConfig is set.
	// +optional
	ClientID string `json:"clientId,omitempty"`

	// clientSecretRef names the client's secret. Absent for a public client.
	// +optional
	ClientSecretRef *SecretKeyRef `json:"clientSecretRef,omitempty"`

	// ToolHive's pkg/oauthproto/redirect.go, ValidateRedirectURI: http or https, in any
	// letters, and no fragment but an empty one. On which host http is allowed is a rule of
	// EmbeddedAuthServerConfig.
	// +kubebuilder:validation:XValidation:rule=`self == '' || self.matches('(?i)^https?:[^#]*#?$')`,message=`redirectUri must be an absolute http or https URI without a fragment`,reason=FieldValueInvalid

	// redirectUri at which the provider answers. If empty, it is
	// /oauth/callback under the resource URL.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	RedirectURI string `json:"redirectUri,omitempty"`

	// scopes that are requested from the provider. They have no bearing on
	// baselineClientScopes.
	// +listType=atomic
	// +optional
	Scopes []string `json:"scopes,omitempty"`

	// tokenResponseMapping tells where the fields of a nested token response are.
	// +optional
	TokenResponseMapping *TokenResponseMapping `json:"tokenResponseMapping,omitempty"`

	// identityFromToken tells where the token response identifies the user.
	// +optional
	IdentityFromToken *IdentityFromTokenConfig `json:"identityFromToken,omitempty"`

	// additionalAuthorizationParams are added to the authorization request.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	AdditionalAuthorizationParams map[string]string `json:"additionalAuthorizationParams,omitempty"`

	// additionalTokenParams are added to the token requests. Read by ToolHive
	// alone, from v0.50.0 on.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	AdditionalTokenParams map[string]string `json:"additionalTokenParams,omitempty"`

	// omitScopeOnRefresh leaves the scopes out of requests that refresh a token.
	// Read by ToolHive alone, from v0.56.0 on.
	// +optional
	OmitScopeOnRefresh bool `json:"omitScopeOnRefresh,omitempty"`

	// tokenEndpointAuthMethod is how the auth server authenticates at the token
	// endpoint. Read by ToolHive alone, from v0.48.0 on.
	// +kubebuilder:validation:Enum=none;client_secret_basic;client_secret_post
	// +optional
	TokenEndpointAuthMethod string `json:"tokenEndpointAuthMethod,omitempty"`

	// dcrConfig registers the auth server's client at the provider when it starts.
	// Read by ToolHive alone.
	// +optional
	DCRConfig *OpaqueObject `json:"dcrConfig,omitempty"`

	// caBundleRef names the CA certificates that verify the provider. If absent,
	// the system's are used.
	// +optional
	CABundleRef *CABundleSource `json:"caBundleRef,omitempty"`

	// allowPrivateIPs permits a provider on a private address.
	// +optional
	AllowPrivateIPs bool `json:"allowPrivateIPs,omitempty"`

	// insecureAllowHTTP permits http endpoints of this provider.
	// +optional
	InsecureAllowHTTP bool `json:"insecureAllowHTTP,omitempty"`
}

// UserInfoConfig is a userinfo endpoint and how to read its answer.
type UserInfoConfig struct {
	// endpointUrl of the userinfo endpoint.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https?://.*$`
	// +required
	EndpointURL string `json:"endpointUrl"`

	// httpMethod of the request. If empty: GET.
	// +kubebuilder:validation:Enum=GET;POST
	// +optional
	HTTPMethod string `json:"httpMethod,omitempty"`

	// additionalHeaders of the request.
	// +optional
	AdditionalHeaders map[string]string `json:"additionalHeaders,omitempty"`

	// fieldMapping tells which fields of the answer identify the user.
	// +optional
	FieldMapping *UserInfoFieldMapping `json:"fieldMapping,omitempty"`
}

// UserInfoFieldMapping tells which fields of a userinfo answer identify the
// user; of several, the first that is present counts.
type UserInfoFieldMapping struct {
	// subjectFields hold the user's identifier. If empty: sub.
	// +listType=atomic
	// +optional
	SubjectFields []string `json:"subjectFields,omitempty"`

	// nameFields hold the user's name. If empty: name.
	// +listType=atomic
	// +optional
	NameFields []string `json:"nameFields,omitempty"`

	// emailFields hold the user's address. If empty: email.
	// +listType=atomic
	// +optional
	EmailFields []string `json:"emailFields,omitempty"`
}

// TokenResponseMapping tells where the fields of a token response are, as
// dotted paths.
type TokenResponseMapping struct {
	// accessTokenPath of the access token.
	// +kubebuilder:validation:MinLength=1
	// +required
	AccessTokenPath string `json:"accessTokenPath"`

	// scopePath of the granted scope. If empty: scope.
	// +optional
	ScopePath string `json:"scopePath,omitempty"`

	// refreshTokenPath of the refresh token. If empty: refresh_token.
	// +optional
	RefreshTokenPath string `json:"refreshTokenPath,omitempty"`

	// expiresInPath of the lifetime in seconds. If empty: expires_in.
	// +optional
	ExpiresInPath string `json:"expiresInPath,omitempty"`
}

// IdentityFromTokenConfig tells where a token response identifies the user, as
// dotted paths.
type IdentityFromTokenConfig struct {
	// subjectPath of the user's identifier.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +required
	SubjectPath string `json:"subjectPath"`

	// namePath of the user's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	NamePath string `json:"namePath,omitempty"`

	// emailPath of the user's address.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	EmailPath string `json:"emailPath,omitempty"`
}
