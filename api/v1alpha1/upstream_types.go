package v1alpha1

// UpstreamProviderType is the protocol of an upstream provider.
type UpstreamProviderType string

// The protocols of upstream providers.
const (
	// UpstreamProviderTypeOIDC is OpenID Connect: the endpoints are discovered
	// from the issuer.
	UpstreamProviderTypeOIDC UpstreamProviderType = "oidc"
	// UpstreamProviderTypeOAuth2 is plain OAuth 2.0: the config lists the
	// endpoints.
	UpstreamProviderTypeOAuth2 UpstreamProviderType = "oauth2"
)

// Only the config of the provider's type is set.
// +kubebuilder:validation:XValidation:rule=`(self.type == 'oidc') == has(self.oidcConfig) || (oldSelf.?type.orValue('') == self.type && oldSelf.?oidcConfig.hasValue() == has(self.oidcConfig))`,message=`oidcConfig must be set if and only if type is oidc`,fieldPath=`.oidcConfig`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`(self.type == 'oauth2') == has(self.oauth2Config) || (oldSelf.?type.orValue('') == self.type && oldSelf.?oauth2Config.hasValue() == has(self.oauth2Config))`,message=`oauth2Config must be set if and only if type is oauth2`,fieldPath=`.oauth2Config`,optionalOldSelf=true

// UpstreamProviderConfig is an identity provider at which users log in.
type UpstreamProviderConfig struct {
	// name identifies the provider among the others.
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

	// oidcConfig configures a provider of type oidc.
	// +optional
	OIDCConfig *OIDCUpstreamConfig `json:"oidcConfig,omitempty"`

	// oauth2Config configures a provider of type oauth2.
	// +optional
	OAuth2Config *OAuth2UpstreamConfig `json:"oauth2Config,omitempty"`
}

// ToolHive's pkg/authserver/config.go, OAuth2UpstreamRunConfig.Validate: either a
// client ID, or dynamic client registration, which brings a client ID and its
// secret. A CA bundle names a ConfigMap. An empty client ID counts as none.
// +kubebuilder:validation:XValidation:rule=`(self.?clientId.orValue("") != "") != has(self.dcrConfig) || (oldSelf.hasValue() && (oldSelf.?clientId.orValue("") != "") == oldSelf.?dcrConfig.hasValue())`,message=`exactly one of clientId and dcrConfig must be set`,fieldPath=`.clientId`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!(has(self.dcrConfig) && has(self.clientSecretRef)) || (oldSelf.?dcrConfig.hasValue() && oldSelf.?clientSecretRef.hasValue())`,message=`clientSecretRef must not be set together with dcrConfig, which gets the secret by registration`,reason=FieldValueForbidden,fieldPath=`.clientSecretRef`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!has(self.caBundleRef) || self.caBundleRef.?configMapRef.?name.orValue("") != "" || (oldSelf.?caBundleRef.hasValue() && oldSelf.?caBundleRef.?configMapRef.?name.orValue("") == "")`,message=`caBundleRef.configMapRef.name must be set: it names the ConfigMap that holds the CA bundle`,reason=FieldValueRequired,fieldPath=`.caBundleRef.configMapRef`,optionalOldSelf=true

// OIDCUpstreamConfig configures an OpenID Connect provider.
type OIDCUpstreamConfig struct {
	// issuerUrl is the URL under which the provider serves its discovery
	// document.
	// +kubebuilder:validation:Pattern=`^https://.*$`
	// +required
	IssuerURL string `json:"issuerUrl"`

	// clientId is the ID of the auth server's client at the provider. Exactly one
	// of clientId and dcrConfig is set.
	// +optional
	ClientID string `json:"clientId,omitempty"`

	// clientSecretRef names the client's secret. It is absent for a public
	// client.
	// +optional
	ClientSecretRef *SecretKeyRef `json:"clientSecretRef,omitempty"`

	// ToolHive's pkg/oauthproto/redirect.go, ValidateRedirectURI: http or https,
	// in any letter case, without a fragment; an empty fragment is allowed.
	// +kubebuilder:validation:XValidation:rule=`self == '' || self.matches('(?i)^https?:[^#]*#?$')`,message=`redirectUri must be an absolute http or https URI without a fragment`

	// redirectUri is the URI to which the provider sends users back. If empty, it
	// is /oauth/callback under the resource URL.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	RedirectURI string `json:"redirectUri,omitempty"`

	// scopes are the scopes that the auth server requests from the provider. They
	// do not affect baselineClientScopes.
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

	// additionalTokenParams are added to the token requests. Only ToolHive reads
	// it, from v0.50.0 on.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	AdditionalTokenParams map[string]string `json:"additionalTokenParams,omitempty"`

	// omitScopeOnRefresh omits the scopes from requests that refresh a token.
	// Only ToolHive reads it, from v0.56.0 on.
	// +optional
	OmitScopeOnRefresh bool `json:"omitScopeOnRefresh,omitempty"`

	// subjectClaim names the claim of the ID token that identifies the user. If
	// empty: sub.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^([a-zA-Z_][a-zA-Z0-9_]*)?$`
	// +optional
	SubjectClaim string `json:"subjectClaim,omitempty"`

	// dcrConfig registers the auth server's client at the provider when it
	// starts. Only ToolHive reads it, from v0.48.0 on.
	// +optional
	DCRConfig *OpaqueObject `json:"dcrConfig,omitempty"`

	// caBundleRef names the CA certificates that verify the provider. If absent,
	// the system's CA certificates are used.
	// +optional
	CABundleRef *CABundleSource `json:"caBundleRef,omitempty"`

	// allowPrivateIPs allows a provider on a private address.
	// +optional
	AllowPrivateIPs bool `json:"allowPrivateIPs,omitempty"`
}

// The same rules as for OpenID Connect.
// +kubebuilder:validation:XValidation:rule=`(self.?clientId.orValue("") != "") != has(self.dcrConfig) || (oldSelf.hasValue() && (oldSelf.?clientId.orValue("") != "") == oldSelf.?dcrConfig.hasValue())`,message=`exactly one of clientId and dcrConfig must be set`,fieldPath=`.clientId`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!(has(self.dcrConfig) && has(self.clientSecretRef)) || (oldSelf.?dcrConfig.hasValue() && oldSelf.?clientSecretRef.hasValue())`,message=`clientSecretRef must not be set together with dcrConfig, which gets the secret by registration`,reason=FieldValueForbidden,fieldPath=`.clientSecretRef`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!has(self.caBundleRef) || self.caBundleRef.?configMapRef.?name.orValue("") != "" || (oldSelf.?caBundleRef.hasValue() && oldSelf.?caBundleRef.?configMapRef.?name.orValue("") == "")`,message=`caBundleRef.configMapRef.name must be set: it names the ConfigMap that holds the CA bundle`,reason=FieldValueRequired,fieldPath=`.caBundleRef.configMapRef`,optionalOldSelf=true

// OAuth2UpstreamConfig configures an OAuth 2.0 provider without OpenID Connect.
type OAuth2UpstreamConfig struct {
	// authorizationEndpoint is the URL to which users are sent to log in.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https?://.*$`
	// +required
	AuthorizationEndpoint string `json:"authorizationEndpoint"`

	// tokenEndpoint is the URL at which codes are exchanged for tokens.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https?://.*$`
	// +required
	TokenEndpoint string `json:"tokenEndpoint"`

	// userInfo configures how the user is identified. If absent, the auth server
	// uses identityFromToken or a synthetic identity.
	// +optional
	UserInfo *UserInfoConfig `json:"userInfo,omitempty"`

	// clientId is the ID of the auth server's client at the provider. Exactly one
	// of clientId and dcrConfig is set.
	// +optional
	ClientID string `json:"clientId,omitempty"`

	// clientSecretRef names the client's secret. It is absent for a public
	// client.
	// +optional
	ClientSecretRef *SecretKeyRef `json:"clientSecretRef,omitempty"`

	// ToolHive's pkg/oauthproto/redirect.go, ValidateRedirectURI: http or https,
	// in any letter case, without a fragment; an empty fragment is allowed.
	// +kubebuilder:validation:XValidation:rule=`self == '' || self.matches('(?i)^https?:[^#]*#?$')`,message=`redirectUri must be an absolute http or https URI without a fragment`

	// redirectUri is the URI to which the provider sends users back. If empty, it
	// is /oauth/callback under the resource URL.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	RedirectURI string `json:"redirectUri,omitempty"`

	// scopes are the scopes that the auth server requests from the provider. They
	// do not affect baselineClientScopes.
	// +listType=atomic
	// +optional
	Scopes []string `json:"scopes,omitempty"`

	// tokenResponseMapping locates the fields of a nested token response.
	// +optional
	TokenResponseMapping *TokenResponseMapping `json:"tokenResponseMapping,omitempty"`

	// identityFromToken locates the user's identity in the token response.
	// +optional
	IdentityFromToken *IdentityFromTokenConfig `json:"identityFromToken,omitempty"`

	// additionalAuthorizationParams are added to the authorization request.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	AdditionalAuthorizationParams map[string]string `json:"additionalAuthorizationParams,omitempty"`

	// additionalTokenParams are added to the token requests. Only ToolHive reads
	// it, from v0.50.0 on.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	AdditionalTokenParams map[string]string `json:"additionalTokenParams,omitempty"`

	// omitScopeOnRefresh omits the scopes from requests that refresh a token.
	// Only ToolHive reads it, from v0.56.0 on.
	// +optional
	OmitScopeOnRefresh bool `json:"omitScopeOnRefresh,omitempty"`

	// tokenEndpointAuthMethod is the method by which the auth server
	// authenticates at the token endpoint. Only ToolHive reads it, from v0.48.0
	// on.
	// +kubebuilder:validation:Enum=none;client_secret_basic;client_secret_post
	// +optional
	TokenEndpointAuthMethod string `json:"tokenEndpointAuthMethod,omitempty"`

	// dcrConfig registers the auth server's client at the provider when it
	// starts. Only ToolHive reads it.
	// +optional
	DCRConfig *OpaqueObject `json:"dcrConfig,omitempty"`

	// caBundleRef names the CA certificates that verify the provider. If absent,
	// the system's CA certificates are used.
	// +optional
	CABundleRef *CABundleSource `json:"caBundleRef,omitempty"`

	// allowPrivateIPs allows a provider on a private address.
	// +optional
	AllowPrivateIPs bool `json:"allowPrivateIPs,omitempty"`

	// insecureAllowHTTP allows http endpoints for this provider.
	// +optional
	InsecureAllowHTTP bool `json:"insecureAllowHTTP,omitempty"`
}

// UserInfoConfig configures a userinfo endpoint and how to read its response.
type UserInfoConfig struct {
	// endpointUrl is the URL of the userinfo endpoint.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https?://.*$`
	// +required
	EndpointURL string `json:"endpointUrl"`

	// httpMethod is the HTTP method of the request. If empty: GET.
	// +kubebuilder:validation:Enum=GET;POST
	// +optional
	HTTPMethod string `json:"httpMethod,omitempty"`

	// additionalHeaders are added to the request.
	// +optional
	AdditionalHeaders map[string]string `json:"additionalHeaders,omitempty"`

	// fieldMapping selects the fields of the response that identify the user.
	// +optional
	FieldMapping *UserInfoFieldMapping `json:"fieldMapping,omitempty"`
}

// UserInfoFieldMapping selects the fields of a userinfo response that identify
// the user. In each list, the first field that is present counts.
type UserInfoFieldMapping struct {
	// subjectFields are the fields with the user's ID. If empty: sub.
	// +listType=atomic
	// +optional
	SubjectFields []string `json:"subjectFields,omitempty"`

	// nameFields are the fields with the user's name. If empty: name.
	// +listType=atomic
	// +optional
	NameFields []string `json:"nameFields,omitempty"`

	// emailFields are the fields with the user's email address. If empty: email.
	// +listType=atomic
	// +optional
	EmailFields []string `json:"emailFields,omitempty"`
}

// TokenResponseMapping locates the fields of a token response by dotted paths.
type TokenResponseMapping struct {
	// accessTokenPath is the path of the access token.
	// +kubebuilder:validation:MinLength=1
	// +required
	AccessTokenPath string `json:"accessTokenPath"`

	// scopePath is the path of the granted scope. If empty: scope.
	// +optional
	ScopePath string `json:"scopePath,omitempty"`

	// refreshTokenPath is the path of the refresh token. If empty: refresh_token.
	// +optional
	RefreshTokenPath string `json:"refreshTokenPath,omitempty"`

	// expiresInPath is the path of the lifetime in seconds. If empty: expires_in.
	// +optional
	ExpiresInPath string `json:"expiresInPath,omitempty"`
}

// IdentityFromTokenConfig locates the user's identity in a token response by
// dotted paths.
type IdentityFromTokenConfig struct {
	// subjectPath is the path of the user's ID.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +required
	SubjectPath string `json:"subjectPath"`

	// namePath is the path of the user's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	NamePath string `json:"namePath,omitempty"`

	// emailPath is the path of the user's email address.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	EmailPath string `json:"emailPath,omitempty"`
}
