package rollout

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// validate returns an error, with the field and the fix, for a config with which
// the auth server would refuse to start (ToolHive: pkg/authserver/config.go,
// Config.Validate, and pkg/authserver/upstream). The rules of the CRDs reject
// most such configs, but not those that were stored before the rules existed, nor
// those that CEL can't detect.
func validate(config *v1alpha1.EmbeddedAuthServerConfig, resourceURL string) error {
	if err := secureURL("issuer", config.Issuer, config.InsecureAllowHTTP); err != nil {
		return err
	}
	if base := config.AuthorizationEndpointBaseURL; base != "" {
		if err := secureURL("authorizationEndpointBaseUrl", base, config.InsecureAllowHTTP); err != nil {
			return err
		}
	}
	if err := validateConfidentialClients(config); err != nil {
		return err
	}
	if err := validateLifespans(config.TokenLifespans); err != nil {
		return err
	}
	if err := validateAudience(resourceURL); err != nil {
		return err
	}
	if err := validateStorage(config.Storage); err != nil {
		return err
	}
	if err := validateCIMD(config.CIMD); err != nil {
		return err
	}
	if len(config.UpstreamProviders) == 0 {
		return fmt.Errorf("upstreamProviders is empty: name the identity provider at which users log in")
	}
	for i := range config.UpstreamProviders {
		provider := &config.UpstreamProviders[i]
		if len(config.UpstreamProviders) > 1 && provider.Name == "default" {
			return fmt.Errorf("upstreamProviders[default] has a name that is reserved where there are several: choose another")
		}
		if err := validateUpstream(provider, config.InsecureAllowHTTP, resourceURL); err != nil {
			return fmt.Errorf("upstreamProviders[%s].%w", provider.Name, err)
		}
	}
	return nil
}

func validateConfidentialClients(config *v1alpha1.EmbeddedAuthServerConfig) error {
	if config.AllowConfidentialClientRegistration {
		issuer, err := url.Parse(config.Issuer)
		switch {
		case err != nil:
			return fmt.Errorf("issuer is not a URL: %w", err)
		case config.InsecureAllowHTTP:
			return fmt.Errorf("insecureAllowHTTP must not be true together with allowConfidentialClientRegistration: set it to false")
		case issuer.Scheme != "https" && !(config.InsecureAllowConfidentialOverLoopbackHTTP && loopback(issuer.Host)):
			return fmt.Errorf("issuer must be an https URL where allowConfidentialClientRegistration is true")
		}
	}
	for _, uri := range config.ForceConfidentialRedirectURIs {
		parsed, err := url.Parse(uri)
		switch {
		case !config.AllowConfidentialClientRegistration:
			return fmt.Errorf("forceConfidentialRedirectUris needs allowConfidentialClientRegistration: set that to true")
		case err != nil || parsed.Scheme != "https" || parsed.Host == "" || len(uri) > maxRedirectURIBytes:
			return fmt.Errorf("forceConfidentialRedirectUris has %q: it must be an https URL", uri)
		case loopback(parsed.Hostname()):
			return fmt.Errorf("forceConfidentialRedirectUris has %q: a client on a loopback host can't keep a secret", uri)
		}
	}
	return nil
}

// Limits of token lifespans (ToolHive: pkg/authserver/server/provider.go).
var lifespanBounds = []struct {
	field    string
	of       func(*v1alpha1.TokenLifespanConfig) string
	min, max time.Duration
}{
	{"accessTokenLifespan", func(c *v1alpha1.TokenLifespanConfig) string { return c.AccessTokenLifespan }, time.Minute, 24 * time.Hour},
	{"refreshTokenLifespan", func(c *v1alpha1.TokenLifespanConfig) string { return c.RefreshTokenLifespan }, time.Hour, 30 * 24 * time.Hour},
	{"authCodeLifespan", func(c *v1alpha1.TokenLifespanConfig) string { return c.AuthCodeLifespan }, 30 * time.Second, 10 * time.Minute},
}

func validateLifespans(config *v1alpha1.TokenLifespanConfig) error {
	if config == nil {
		return nil
	}
	for _, bound := range lifespanBounds {
		text := bound.of(config)
		if text == "" {
			continue
		}
		span, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("tokenLifespans.%s is not a duration: %w", bound.field, err)
		}
		// Zero means the default.
		if span != 0 && (span < bound.min || span > bound.max) {
			return fmt.Errorf("tokenLifespans.%s is %s: it must be between %s and %s", bound.field, text, bound.min, bound.max)
		}
	}
	return nil
}

// validateAudience checks that the resource URL is valid as an audience (RFC 8707
// section 2).
func validateAudience(resourceURL string) error {
	parsed, err := url.Parse(resourceURL)
	if err != nil || parsed.Host == "" || parsed.Fragment != "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return fmt.Errorf("the resource URL %q can't be the audience of tokens: it must be an http or https URL with a host and no fragment", resourceURL)
	}
	return nil
}

func validateStorage(storage *v1alpha1.AuthServerStorageConfig) error {
	if storage == nil || storage.Type != v1alpha1.AuthServerStorageTypeRedis {
		return nil
	}
	redis := storage.Redis
	switch {
	case redis == nil:
		return fmt.Errorf("storage.redis must be set where storage.type is redis")
	case redis.ACLUserConfig == nil || redis.ACLUserConfig.PasswordSecretRef == nil:
		return fmt.Errorf("storage.redis.aclUserConfig.passwordSecretRef must be set")
	case redis.Addr == "" && redis.SentinelConfig == nil:
		return fmt.Errorf("storage.redis must have addr or sentinelConfig")
	case redis.SentinelConfig != nil && redis.SentinelConfig.MasterName == "":
		return fmt.Errorf("storage.redis.sentinelConfig.masterName is empty: name the master that the Sentinels watch")
	case redis.SentinelConfig != nil && len(redis.SentinelConfig.SentinelAddrs) == 0 && redis.SentinelConfig.SentinelService == nil:
		return fmt.Errorf("storage.redis.sentinelConfig must have sentinelAddrs or sentinelService")
	}
	for _, timeout := range []struct{ field, text string }{
		{"dialTimeout", redis.DialTimeout}, {"readTimeout", redis.ReadTimeout}, {"writeTimeout", redis.WriteTimeout},
	} {
		if _, err := time.ParseDuration(timeout.text); timeout.text != "" && err != nil {
			return fmt.Errorf("storage.redis.%s is not a duration: %w", timeout.field, err)
		}
	}
	return nil
}

func validateCIMD(cimd *v1alpha1.CIMDConfig) error {
	if cimd == nil || !cimd.Enabled || cimd.CacheFallbackTTL == "" {
		return nil
	}
	if ttl, err := time.ParseDuration(cimd.CacheFallbackTTL); err != nil || ttl <= 0 {
		return fmt.Errorf("cimd.cacheFallbackTtl is %q: it must be a duration above zero", cimd.CacheFallbackTTL)
	}
	return nil
}

// reservedParams are the parameters of an authorization request that the auth
// server sets itself (ToolHive: pkg/authserver/oauthparams).
var reservedParams = []string{
	"client_id", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "response_type", "scope", "state",
}

// maxRedirectURIBytes limits a redirect URI (ToolHive:
// pkg/oauthproto/redirect.go).
const maxRedirectURIBytes = 2048

func validateUpstream(provider *v1alpha1.UpstreamProviderConfig, insecure bool, resourceURL string) error {
	switch {
	case provider.OIDCConfig != nil:
		config := provider.OIDCConfig
		if err := secureURL("oidcConfig.issuerUrl", config.IssuerURL, insecure); err != nil {
			return err
		}
		return validateClient("oidcConfig", config.ClientID, config.RedirectURI, config.AdditionalAuthorizationParams, insecure, resourceURL)
	case provider.OAuth2Config != nil:
		config := provider.OAuth2Config
		insecure = insecure || config.InsecureAllowHTTP
		if err := secureURL("oauth2Config.authorizationEndpoint", config.AuthorizationEndpoint, insecure); err != nil {
			return err
		}
		if err := secureURL("oauth2Config.tokenEndpoint", config.TokenEndpoint, insecure); err != nil {
			return err
		}
		if config.UserInfo != nil {
			if err := secureURL("oauth2Config.userInfo.endpointUrl", config.UserInfo.EndpointURL, false); err != nil {
				return err
			}
		}
		return validateClient("oauth2Config", config.ClientID, config.RedirectURI, config.AdditionalAuthorizationParams, insecure, resourceURL)
	default:
		return fmt.Errorf("%sConfig must be set where type is %s", provider.Type, provider.Type)
	}
}

func validateClient(field, clientID, redirectURI string, params map[string]string, insecure bool, resourceURL string) error {
	if clientID == "" {
		return fmt.Errorf("%s.clientId must be set", field)
	}
	for _, name := range reservedParams {
		if _, ok := params[name]; ok {
			return fmt.Errorf("%s.additionalAuthorizationParams has %q, which the auth server sets itself: remove it", field, name)
		}
	}
	if redirectURI == "" {
		redirectURI = defaultRedirectURI(resourceURL)
	}
	if len(redirectURI) > maxRedirectURIBytes {
		return fmt.Errorf("%s.redirectUri is longer than %d bytes", field, maxRedirectURIBytes)
	}
	if err := secureURL(field+".redirectUri", redirectURI, true); err != nil {
		return err
	}
	if parsed, err := url.Parse(redirectURI); err != nil || parsed.Scheme != "https" && !insecure && !loopbackRedirect(parsed.Hostname()) {
		return fmt.Errorf("%s.redirectUri is %q: it must be an https URL, or an http one on a loopback host", field, redirectURI)
	}
	return nil
}

// secureURL returns an error unless text is an https URL with a host, or an http
// URL and either the host is loopback or insecure is true.
func secureURL(field, text string, insecure bool) error {
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("%s is not a URL: %w", field, err)
	case parsed.Hostname() == "" || parsed.Fragment != "" || parsed.User != nil:
		return fmt.Errorf("%s is %q: it must be a URL with a host, without a user and without a fragment", field, text)
	case parsed.Scheme == "https" || parsed.Scheme == "http" && (insecure || loopback(parsed.Host)):
		return nil
	default:
		return fmt.Errorf("%s is %q: it must be an https URL, or an http one on a loopback host", field, text)
	}
}

// loopback reports whether a host, with or without a port, is this machine
// (ToolHive: pkg/oauthproto, IsLoopbackHost).
func loopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	return strings.EqualFold(name, "localhost") || net.ParseIP(name).IsLoopback()
}

// loopbackRedirect reports the same for the host of a redirect URI, for which the
// OAuth library of the auth server (github.com/ory/fosite) has its own rule.
func loopbackRedirect(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || net.ParseIP(name).IsLoopback()
}
