package rollout

// runConfig is the part of the auth server's run config that scopegate renders.
// The JSON names are those of ToolHive's pkg/authserver/config.go and
// pkg/authserver/storage/config.go.

type runConfig struct {
	SchemaVersion                             string            `json:"schema_version"`
	Issuer                                    string            `json:"issuer"`
	AuthorizationEndpointBaseURL              string            `json:"authorization_endpoint_base_url,omitempty"`
	SigningKeyConfig                          *signingKeyConfig `json:"signing_key_config,omitempty"`
	HMACSecretFiles                           []string          `json:"hmac_secret_files,omitempty"`
	TokenLifespans                            *tokenLifespans   `json:"token_lifespans,omitempty"`
	Upstreams                                 []upstream        `json:"upstreams"`
	ScopesSupported                           []string          `json:"scopes_supported"`
	BaselineClientScopes                      []string          `json:"baseline_client_scopes,omitempty"`
	AllowedAudiences                          []string          `json:"allowed_audiences"`
	Storage                                   *storage          `json:"storage,omitempty"`
	DisableUpstreamTokenInjection             bool              `json:"disable_upstream_token_injection,omitempty"`
	CIMD                                      *cimd             `json:"cimd,omitempty"`
	InsecureAllowHTTP                         bool              `json:"insecure_allow_http,omitempty"`
	AllowConfidentialClientRegistration       bool              `json:"allow_confidential_client_registration,omitempty"`
	AllowPrivateKeyJWTRegistration            bool              `json:"allow_private_key_jwt_registration,omitempty"`
	ForceConfidentialRedirectURIs             []string          `json:"force_confidential_redirect_uris,omitempty"`
	InsecureAllowConfidentialOverLoopbackHTTP bool              `json:"insecure_allow_confidential_over_loopback_http,omitempty"`
}

type signingKeyConfig struct {
	KeyDir           string   `json:"key_dir,omitempty"`
	SigningKeyFile   string   `json:"signing_key_file,omitempty"`
	FallbackKeyFiles []string `json:"fallback_key_files,omitempty"`
}

type tokenLifespans struct {
	AccessTokenLifespan  string `json:"access_token_lifespan,omitempty"`
	RefreshTokenLifespan string `json:"refresh_token_lifespan,omitempty"`
	AuthCodeLifespan     string `json:"auth_code_lifespan,omitempty"`
}

type cimd struct {
	Enabled          bool   `json:"enabled"`
	CacheMaxSize     int    `json:"cache_max_size,omitempty"`
	CacheFallbackTTL string `json:"cache_fallback_ttl,omitempty"`
}

type upstream struct {
	Name         string          `json:"name,omitempty"`
	Type         string          `json:"type"`
	OIDCConfig   *oidcUpstream   `json:"oidc_config,omitempty"`
	OAuth2Config *oauth2Upstream `json:"oauth2_config,omitempty"`
}

type oidcUpstream struct {
	IssuerURL                     string            `json:"issuer_url"`
	ClientID                      string            `json:"client_id"`
	ClientSecretEnvVar            string            `json:"client_secret_env_var,omitempty"`
	RedirectURI                   string            `json:"redirect_uri,omitempty"`
	Scopes                        []string          `json:"scopes,omitempty"`
	UserInfoOverride              *userInfo         `json:"userinfo_override,omitempty"`
	AdditionalAuthorizationParams map[string]string `json:"additional_authorization_params,omitempty"`
	SubjectClaim                  string            `json:"subject_claim,omitempty"`
	CAFilePath                    string            `json:"ca_file_path,omitempty"`
	AllowPrivateIPs               bool              `json:"allow_private_ips,omitempty"`
}

type oauth2Upstream struct {
	AuthorizationEndpoint         string                `json:"authorization_endpoint"`
	TokenEndpoint                 string                `json:"token_endpoint"`
	ClientID                      string                `json:"client_id"`
	ClientSecretEnvVar            string                `json:"client_secret_env_var,omitempty"`
	RedirectURI                   string                `json:"redirect_uri,omitempty"`
	Scopes                        []string              `json:"scopes,omitempty"`
	UserInfo                      *userInfo             `json:"userinfo,omitempty"`
	TokenResponseMapping          *tokenResponseMapping `json:"token_response_mapping,omitempty"`
	IdentityFromToken             *identityFromToken    `json:"identity_from_token,omitempty"`
	AdditionalAuthorizationParams map[string]string     `json:"additional_authorization_params,omitempty"`
	CAFilePath                    string                `json:"ca_file_path,omitempty"`
	AllowPrivateIPs               bool                  `json:"allow_private_ips,omitempty"`
	InsecureAllowHTTP             bool                  `json:"insecure_allow_http,omitempty"`
}

type tokenResponseMapping struct {
	AccessTokenPath  string `json:"access_token_path"`
	ScopePath        string `json:"scope_path,omitempty"`
	RefreshTokenPath string `json:"refresh_token_path,omitempty"`
	ExpiresInPath    string `json:"expires_in_path,omitempty"`
}

type identityFromToken struct {
	SubjectPath string `json:"subject_path"`
	NamePath    string `json:"name_path,omitempty"`
	EmailPath   string `json:"email_path,omitempty"`
}

type userInfo struct {
	EndpointURL       string                `json:"endpoint_url"`
	HTTPMethod        string                `json:"http_method,omitempty"`
	AdditionalHeaders map[string]string     `json:"additional_headers,omitempty"`
	FieldMapping      *userInfoFieldMapping `json:"field_mapping,omitempty"`
}

type userInfoFieldMapping struct {
	SubjectFields []string `json:"subject_fields,omitempty"`
	NameFields    []string `json:"name_fields,omitempty"`
	EmailFields   []string `json:"email_fields,omitempty"`
}

type storage struct {
	Type        string        `json:"type,omitempty"`
	RedisConfig *redisStorage `json:"redis_config,omitempty"`
}

type redisStorage struct {
	Addr           string         `json:"addr,omitempty"`
	ClusterMode    bool           `json:"cluster_mode,omitempty"`
	SentinelConfig *redisSentinel `json:"sentinel_config,omitempty"`
	AuthType       string         `json:"auth_type"`
	ACLUserConfig  *redisACLUser  `json:"acl_user_config,omitempty"`
	KeyPrefix      string         `json:"key_prefix"`
	DialTimeout    string         `json:"dial_timeout,omitempty"`
	ReadTimeout    string         `json:"read_timeout,omitempty"`
	WriteTimeout   string         `json:"write_timeout,omitempty"`
	TLS            *redisTLS      `json:"tls,omitempty"`
	SentinelTLS    *redisTLS      `json:"sentinel_tls,omitempty"`
}

type redisSentinel struct {
	MasterName    string   `json:"master_name"`
	SentinelAddrs []string `json:"sentinel_addrs"`
	DB            int      `json:"db,omitempty"`
}

type redisACLUser struct {
	UsernameEnvVar string `json:"username_env_var,omitempty"`
	PasswordEnvVar string `json:"password_env_var,omitempty"`
}

type redisTLS struct {
	InsecureSkipVerify bool   `json:"insecure_skip_verify,omitempty"`
	CACertFile         string `json:"ca_cert_file,omitempty"`
}
