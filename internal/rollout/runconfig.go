package rollout

import (
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/resolve"
)

// Where the auth server finds the mounts of the pod (ToolHive: the constants of
// cmd/thv-operator/pkg/controllerutil/authserver.go).
const (
	signingKeysPath = "/etc/toolhive/authserver/keys"
	hmacPath        = "/etc/toolhive/authserver/hmac"
	redisTLSPath    = "/etc/toolhive/authserver/redis-tls"
	upstreamCAPath  = "/etc/toolhive/authserver/upstream-ca"

	caFile         = "ca.crt"
	sentinelCAFile = "sentinel-ca.crt"

	redisUsernameEnv        = "TOOLHIVE_AUTH_SERVER_REDIS_USERNAME"
	redisPasswordEnv        = "TOOLHIVE_AUTH_SERVER_REDIS_PASSWORD" //nolint:gosec // The name of a variable.
	upstreamSecretEnvPrefix = "TOOLHIVE_UPSTREAM_CLIENT_SECRET_"    //nolint:gosec // The name of a variable.
)

// runConfigVersion is the schema version of the run config (ToolHive:
// pkg/authserver/config.go, CurrentSchemaVersion).
const runConfigVersion = "v0.1.0"

// defaultSentinelPort is the port of a SentinelServiceRef without a port.
const defaultSentinelPort = 26379

// newRunConfig renders the run config of a pair like ToolHive's
// controllerutil.BuildAuthServerRunConfig, except that it always sets
// scopes_supported: the defaults never depend on another binary.
func newRunConfig(pair resolve.Pair) *runConfig {
	config, resourceURL := pair.Config, pair.Consumer.ResourceURL()
	run := &runConfig{
		SchemaVersion:                             runConfigVersion,
		Issuer:                                    config.Issuer,
		AuthorizationEndpointBaseURL:              config.AuthorizationEndpointBaseURL,
		ScopesSupported:                           pair.Verdict.Effective,
		BaselineClientScopes:                      config.BaselineClientScopes,
		AllowedAudiences:                          []string{resourceURL},
		Upstreams:                                 []upstream{},
		Storage:                                   newStorage(config.Storage, pair.Consumer),
		DisableUpstreamTokenInjection:             config.DisableUpstreamTokenInjection,
		InsecureAllowHTTP:                         config.InsecureAllowHTTP,
		AllowConfidentialClientRegistration:       config.AllowConfidentialClientRegistration,
		AllowPrivateKeyJWTRegistration:            config.AllowPrivateKeyJWTRegistration,
		ForceConfidentialRedirectURIs:             config.ForceConfidentialRedirectURIs,
		InsecureAllowConfidentialOverLoopbackHTTP: config.InsecureAllowConfidentialOverLoopbackHTTP,
	}
	for i := range config.SigningKeySecretRefs {
		if i == 0 {
			run.SigningKeyConfig = &signingKeyConfig{KeyDir: signingKeysPath, SigningKeyFile: signingKeyFile(i)}
		} else {
			run.SigningKeyConfig.FallbackKeyFiles = append(run.SigningKeyConfig.FallbackKeyFiles, signingKeyFile(i))
		}
	}
	for i := range config.HMACSecretRefs {
		run.HMACSecretFiles = append(run.HMACSecretFiles, hmacPath+"/"+hmacFile(i))
	}
	if spans := config.TokenLifespans; spans != nil {
		run.TokenLifespans = &tokenLifespans{
			AccessTokenLifespan:  spans.AccessTokenLifespan,
			RefreshTokenLifespan: spans.RefreshTokenLifespan,
			AuthCodeLifespan:     spans.AuthCodeLifespan,
		}
	}
	if config.CIMD != nil && config.CIMD.Enabled {
		run.CIMD = &cimd{Enabled: true, CacheMaxSize: config.CIMD.CacheMaxSize, CacheFallbackTTL: config.CIMD.CacheFallbackTTL}
	}
	for i := range config.UpstreamProviders {
		run.Upstreams = append(run.Upstreams, newUpstream(i, &config.UpstreamProviders[i], resourceURL))
	}
	return run
}

func newUpstream(index int, provider *v1alpha1.UpstreamProviderConfig, resourceURL string) upstream {
	rendered := upstream{Name: provider.Name, Type: string(provider.Type)}
	if config := provider.OIDCConfig; config != nil {
		rendered.OIDCConfig = &oidcUpstream{
			IssuerURL:                     config.IssuerURL,
			ClientID:                      config.ClientID,
			ClientSecretEnvVar:            secretEnvVar(provider.Name, config.ClientSecretRef),
			RedirectURI:                   redirectURI(config.RedirectURI, resourceURL),
			Scopes:                        config.Scopes,
			UserInfoOverride:              newUserInfo(config.UserInfoOverride),
			AdditionalAuthorizationParams: config.AdditionalAuthorizationParams,
			SubjectClaim:                  config.SubjectClaim,
			CAFilePath:                    upstreamCAFile(index, config.CABundleRef),
			AllowPrivateIPs:               config.AllowPrivateIPs,
		}
	}
	if config := provider.OAuth2Config; config != nil {
		rendered.OAuth2Config = &oauth2Upstream{
			AuthorizationEndpoint:         config.AuthorizationEndpoint,
			TokenEndpoint:                 config.TokenEndpoint,
			ClientID:                      config.ClientID,
			ClientSecretEnvVar:            secretEnvVar(provider.Name, config.ClientSecretRef),
			RedirectURI:                   redirectURI(config.RedirectURI, resourceURL),
			Scopes:                        config.Scopes,
			UserInfo:                      newUserInfo(config.UserInfo),
			AdditionalAuthorizationParams: config.AdditionalAuthorizationParams,
			CAFilePath:                    upstreamCAFile(index, config.CABundleRef),
			AllowPrivateIPs:               config.AllowPrivateIPs,
			InsecureAllowHTTP:             config.InsecureAllowHTTP,
		}
		if mapping := config.TokenResponseMapping; mapping != nil {
			rendered.OAuth2Config.TokenResponseMapping = &tokenResponseMapping{
				AccessTokenPath: mapping.AccessTokenPath, ScopePath: mapping.ScopePath,
				RefreshTokenPath: mapping.RefreshTokenPath, ExpiresInPath: mapping.ExpiresInPath,
			}
		}
		if identity := config.IdentityFromToken; identity != nil {
			rendered.OAuth2Config.IdentityFromToken = &identityFromToken{
				SubjectPath: identity.SubjectPath, NamePath: identity.NamePath, EmailPath: identity.EmailPath,
			}
		}
	}
	return rendered
}

func newUserInfo(config *v1alpha1.UserInfoConfig) *userInfo {
	if config == nil {
		return nil
	}
	rendered := &userInfo{
		EndpointURL: config.EndpointURL, HTTPMethod: config.HTTPMethod, AdditionalHeaders: config.AdditionalHeaders,
	}
	if mapping := config.FieldMapping; mapping != nil {
		rendered.FieldMapping = &userInfoFieldMapping{
			SubjectFields: mapping.SubjectFields, NameFields: mapping.NameFields, EmailFields: mapping.EmailFields,
		}
	}
	return rendered
}

func newStorage(config *v1alpha1.AuthServerStorageConfig, consumer resolve.Consumer) *storage {
	if config == nil || config.Type != v1alpha1.AuthServerStorageTypeRedis {
		return nil
	}
	redis := config.Redis
	rendered := &redisStorage{
		Addr:          redis.Addr,
		ClusterMode:   redis.ClusterMode,
		AuthType:      "aclUser",
		ACLUserConfig: &redisACLUser{PasswordEnvVar: redisPasswordEnv},
		KeyPrefix:     fmt.Sprintf("thv:auth:{%s:%s}:", consumer.Namespace, consumer.Name),
		DialTimeout:   redis.DialTimeout,
		ReadTimeout:   redis.ReadTimeout,
		WriteTimeout:  redis.WriteTimeout,
		TLS:           newRedisTLS(redis.TLS, caFile),
	}
	if redis.ACLUserConfig.UsernameSecretRef != nil {
		rendered.ACLUserConfig.UsernameEnvVar = redisUsernameEnv
	}
	if sentinel := redis.SentinelConfig; sentinel != nil {
		rendered.SentinelConfig = &redisSentinel{
			MasterName: sentinel.MasterName, SentinelAddrs: sentinelAddrs(sentinel, consumer.Namespace), DB: int(sentinel.DB),
		}
		rendered.SentinelTLS = newRedisTLS(redis.SentinelTLS, sentinelCAFile)
	}
	return &storage{Type: string(config.Type), RedisConfig: rendered}
}

func sentinelAddrs(config *v1alpha1.RedisSentinelConfig, namespace string) []string {
	if len(config.SentinelAddrs) > 0 {
		return config.SentinelAddrs
	}
	service := *config.SentinelService
	if service.Namespace == "" {
		service.Namespace = namespace
	}
	if service.Port == 0 {
		service.Port = defaultSentinelPort
	}
	return []string{fmt.Sprintf("%s.%s.svc.cluster.local:%d", service.Name, service.Namespace, service.Port)}
}

func newRedisTLS(config *v1alpha1.RedisTLSConfig, file string) *redisTLS {
	if config == nil {
		return nil
	}
	rendered := &redisTLS{InsecureSkipVerify: config.InsecureSkipVerify}
	if config.CACertSecretRef != nil {
		rendered.CACertFile = redisTLSPath + "/" + file
	}
	return rendered
}

func signingKeyFile(index int) string { return fmt.Sprintf("key-%d.pem", index) }

func hmacFile(index int) string { return fmt.Sprintf("hmac-%d", index) }

func upstreamCAFile(index int, ref *v1alpha1.CABundleSource) string {
	if ref == nil {
		return ""
	}
	return fmt.Sprintf("%s/%d/%s", upstreamCAPath, index, caFile)
}

// secretEnvVar returns the environment variable of an upstream provider's client
// secret.
func secretEnvVar(provider string, ref *v1alpha1.SecretKeyRef) string {
	if ref == nil {
		return ""
	}
	return upstreamSecretEnvPrefix + strings.ToUpper(strings.ReplaceAll(provider, "-", "_"))
}

func redirectURI(configured, resourceURL string) string {
	if configured != "" {
		return configured
	}
	return defaultRedirectURI(resourceURL)
}

func defaultRedirectURI(resourceURL string) string {
	return strings.TrimRight(resourceURL, "/") + "/oauth/callback"
}
