// Package startup finds the values with which an auth server refuses to start. The gate
// of standalone mode and the linter share it; it needs no client.
package startup

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// Mistake is a value of a config with which the auth server refuses to start, or
// starts but can't work.
type Mistake struct {
	// Field is the path of the value, such as
	// upstreamProviders[0].oidcConfig.clientId.
	Field string
	// Problem says what is wrong, and the fix.
	Problem string
}

// String returns the field and the problem.
func (m Mistake) String() string { return m.Field + " " + m.Problem }

type mistakes []Mistake

func (m *mistakes) add(field, problem string, args ...any) {
	*m = append(*m, Mistake{field, fmt.Sprintf(problem, args...)})
}

// Mistakes returns the mistakes of a config that no other object decides
// (ToolHive: pkg/authserver/config.go, Config.Validate, and
// pkg/authserver/upstream). The rules of the CRDs reject only some of them. The
// policy on start-up, config/guard/start-up, rejects those that CEL can detect.
func Mistakes(config *v1alpha1.EmbeddedAuthServerConfig) []Mistake {
	var found mistakes
	found.inURL("issuer", config.Issuer, config.InsecureAllowHTTP)
	if base := config.AuthorizationEndpointBaseURL; base != "" {
		found.inURL("authorizationEndpointBaseUrl", base, config.InsecureAllowHTTP)
	}
	found.inConfidentialClients(config)
	found.inLifespans(config.TokenLifespans)
	found.inStorage(config.Storage)
	found.inCIMD(config.CIMD)
	if len(config.UpstreamProviders) == 0 && !otherTokenSource(config) {
		found.add("upstreamProviders", "is empty: name the identity provider at which users log in")
	}
	for i := range config.UpstreamProviders {
		provider, field := &config.UpstreamProviders[i], fmt.Sprintf("upstreamProviders[%d]", i)
		if len(config.UpstreamProviders) > 1 && provider.Name == "default" {
			found.add(field+".name", `is "default", which is reserved where there are several: choose another`)
		}
		found.inProvider(field, provider, config.InsecureAllowHTTP)
	}
	return found
}

// otherTokenSource reports whether clients can get tokens without an upstream
// provider. Standalone mode renders none of these fields, but ToolHive does.
func otherTokenSource(config *v1alpha1.EmbeddedAuthServerConfig) bool {
	return len(config.DelegateClients) > 0 || len(config.TrustedIssuers) > 0 || !config.InboundGrants.IsEmpty()
}

// MistakesOfConsumer returns the mistakes of a config for a consumer: of its resource URL, and
// of the redirect URI of providers that set none.
func MistakesOfConsumer(config *v1alpha1.EmbeddedAuthServerConfig, resourceURL, redirectURI string) []Mistake {
	var found mistakes
	// RFC 8707 section 2.
	parsed, err := url.Parse(resourceURL)
	if err != nil || parsed.Host == "" || parsed.Fragment != "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		found.add("the resource URL", "%q can't be the audience of tokens: it must be an http or https URL with a host and no fragment", resourceURL)
	}
	for i := range config.UpstreamProviders {
		provider, field := &config.UpstreamProviders[i], fmt.Sprintf("upstreamProviders[%d]", i)
		if oidc := provider.OIDCConfig; oidc != nil && oidc.RedirectURI == "" {
			found.inRedirectURI(field+".oidcConfig", redirectURI, config.InsecureAllowHTTP)
		}
		if oauth2 := provider.OAuth2Config; oauth2 != nil && oauth2.RedirectURI == "" {
			found.inRedirectURI(field+".oauth2Config", redirectURI, config.InsecureAllowHTTP || oauth2.InsecureAllowHTTP)
		}
	}
	return found
}

func (m *mistakes) inConfidentialClients(config *v1alpha1.EmbeddedAuthServerConfig) {
	if config.AllowConfidentialClientRegistration {
		// An http issuer on another host is a mistake anyway.
		issuer, err := url.Parse(config.Issuer)
		switch {
		case config.InsecureAllowHTTP:
			m.add("insecureAllowHTTP", "must not be true together with allowConfidentialClientRegistration: set it to false")
		case err == nil && issuer.Scheme != "https" && loopback(issuer.Host) && !config.InsecureAllowConfidentialOverLoopbackHTTP:
			m.add("issuer", "must be an https URL where allowConfidentialClientRegistration is true")
		}
	} else if len(config.ForceConfidentialRedirectURIs) > 0 {
		m.add("forceConfidentialRedirectUris", "needs allowConfidentialClientRegistration: set that to true")
		return
	}
	for _, uri := range config.ForceConfidentialRedirectURIs {
		parsed, err := url.Parse(uri)
		switch {
		case err != nil || parsed.Scheme != "https" || parsed.Host == "" || len(uri) > maxRedirectURIBytes:
			m.add("forceConfidentialRedirectUris", "has %q: it must be an https URL", uri)
		case loopback(parsed.Hostname()):
			m.add("forceConfidentialRedirectUris", "has %q: a client on a loopback host can't keep a secret, so remove it", parsed.Redacted())
		}
	}
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

func (m *mistakes) inLifespans(config *v1alpha1.TokenLifespanConfig) {
	if config == nil {
		return
	}
	for _, bound := range lifespanBounds {
		text, field := bound.of(config), "tokenLifespans."+bound.field
		if text == "" {
			continue
		}
		span, err := time.ParseDuration(text)
		switch {
		case err != nil:
			m.add(field, "is not a duration: %v", err)
		// Zero means the default.
		case span != 0 && (span < bound.min || span > bound.max):
			m.add(field, "is %s: it must be between %s and %s", text, bound.min, bound.max)
		}
	}
}

func (m *mistakes) inStorage(storage *v1alpha1.AuthServerStorageConfig) {
	if storage == nil || storage.Type != v1alpha1.AuthServerStorageTypeRedis {
		return
	}
	redis := storage.Redis
	if redis == nil {
		m.add("storage.redis", "must be set where storage.type is redis")
		return
	}
	if redis.ACLUserConfig == nil || redis.ACLUserConfig.PasswordSecretRef == nil {
		m.add("storage.redis.aclUserConfig.passwordSecretRef", "must be set")
	}
	sentinel := redis.SentinelConfig
	switch {
	case redis.Addr == "" && sentinel == nil:
		m.add("storage.redis.addr", "must be set, or storage.redis.sentinelConfig")
	case sentinel != nil && sentinel.MasterName == "":
		m.add("storage.redis.sentinelConfig.masterName", "is empty: name the master that the Sentinels watch")
	case sentinel != nil && len(sentinel.SentinelAddrs) == 0 && sentinel.SentinelService == nil:
		m.add("storage.redis.sentinelConfig", "must have sentinelAddrs or sentinelService")
	}
	for _, timeout := range []struct{ field, text string }{
		{"dialTimeout", redis.DialTimeout}, {"readTimeout", redis.ReadTimeout}, {"writeTimeout", redis.WriteTimeout},
	} {
		if _, err := time.ParseDuration(timeout.text); timeout.text != "" && err != nil {
			m.add("storage.redis."+timeout.field, "is not a duration: %v", err)
		}
	}
}

func (m *mistakes) inCIMD(cimd *v1alpha1.CIMDConfig) {
	if cimd == nil || !cimd.Enabled || cimd.CacheFallbackTTL == "" {
		return
	}
	if ttl, err := time.ParseDuration(cimd.CacheFallbackTTL); err != nil || ttl <= 0 {
		m.add("cimd.cacheFallbackTtl", "is %q: it must be a duration above zero", cimd.CacheFallbackTTL)
	}
}

// reservedParams are the parameters of an authorization request that the auth
// server sets itself (ToolHive: pkg/authserver/oauthparams).
var reservedParams = []string{
	"client_id", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "response_type", "scope", "state",
}

// maxRedirectURIBytes limits a redirect URI (ToolHive:
// pkg/oauthproto/redirect.go).
const maxRedirectURIBytes = 2048

func (m *mistakes) inProvider(field string, provider *v1alpha1.UpstreamProviderConfig, insecure bool) {
	switch {
	case provider.OIDCConfig != nil:
		config, field := provider.OIDCConfig, field+".oidcConfig"
		m.inURL(field+".issuerUrl", config.IssuerURL, insecure)
		m.inClient(field, config.ClientID, config.DCRConfig, config.AdditionalAuthorizationParams)
		if config.RedirectURI != "" {
			m.inRedirectURI(field, config.RedirectURI, insecure)
		}
	case provider.OAuth2Config != nil:
		config, field := provider.OAuth2Config, field+".oauth2Config"
		insecure = insecure || config.InsecureAllowHTTP
		m.inURL(field+".authorizationEndpoint", config.AuthorizationEndpoint, insecure)
		m.inURL(field+".tokenEndpoint", config.TokenEndpoint, insecure)
		if config.UserInfo != nil {
			m.inURL(field+".userInfo.endpointUrl", config.UserInfo.EndpointURL, false)
		}
		m.inClient(field, config.ClientID, config.DCRConfig, config.AdditionalAuthorizationParams)
		if config.RedirectURI != "" {
			m.inRedirectURI(field, config.RedirectURI, insecure)
		}
	default:
		m.add(fmt.Sprintf("%s.%sConfig", field, provider.Type), "must be set where type is %s", provider.Type)
	}
}

// inClient adds the mistakes of the auth server's client at a provider. With
// dynamic registration, which standalone mode does not render, it has no ID yet.
func (m *mistakes) inClient(field, clientID string, registration *v1alpha1.OpaqueObject, params map[string]string) {
	if clientID == "" && registration == nil {
		m.add(field+".clientId", "must be set")
	}
	for _, name := range reservedParams {
		if _, ok := params[name]; ok {
			m.add(field+".additionalAuthorizationParams", "has %q, which the auth server sets itself: remove it", name)
		}
	}
}

func (m *mistakes) inRedirectURI(field, uri string, insecure bool) {
	field += ".redirectUri"
	problem := urlProblem(uri, true)
	switch {
	case len(uri) > maxRedirectURIBytes:
		m.add(field, "is longer than %d bytes", maxRedirectURIBytes)
	case problem != "":
		m.add(field, "%s", problem)
	case !insecure && !secureRedirect(uri):
		m.add(field, "is %q: it must be an https URL, or an http one on a loopback host", uri)
	}
}

func (m *mistakes) inURL(field, text string, insecure bool) {
	if problem := urlProblem(text, insecure); problem != "" {
		m.add(field, "%s", problem)
	}
}

// urlProblem returns "" for an https URL with a host, and for an http URL if its
// host is loopback or insecure is true.
func urlProblem(text string, insecure bool) string {
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Sprintf("is not a URL: %v", err)
	case parsed.Hostname() == "" || parsed.Fragment != "" || parsed.User != nil:
		return fmt.Sprintf("is %q: it must be a URL with a host, without a user and without a fragment", parsed.Redacted())
	case parsed.Scheme == "https" || parsed.Scheme == "http" && (insecure || loopback(parsed.Host)):
		return ""
	default:
		return fmt.Sprintf("is %q: it must be an https URL, or an http one on a loopback host", text)
	}
}

// secureRedirect reports whether a redirect URI is https or on a loopback host,
// for which the OAuth library of the auth server (github.com/ory/fosite) has its
// own rule.
func secureRedirect(uri string) bool {
	parsed, err := url.Parse(uri)
	if err != nil {
		return false
	}
	name := parsed.Hostname()
	return parsed.Scheme == "https" || name == "localhost" || strings.HasSuffix(name, ".localhost") || net.ParseIP(name).IsLoopback()
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
