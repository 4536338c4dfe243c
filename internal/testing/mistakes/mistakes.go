// Package mistakes has configs with which an auth server starts, and configs with
// which it refuses to. The gate, the linter and the policy on start-up are tested
// with them; compat/equivalence compares the gate and the policy with ToolHive's
// auth server at random.
package mistakes

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// Case is a config with at most one mistake.
type Case struct {
	// Change makes the config from one without a mistake.
	Change func(*v1alpha1.EmbeddedAuthServerConfig)
	// Field is the field with the mistake, and empty without one.
	Field string
	// Left is true if the policy admits the mistake, and leaves it to the gate and
	// to the auth server.
	Left bool
}

// Config returns the config.
func (c Case) Config() *v1alpha1.EmbeddedAuthServerConfig {
	config := sample.AuthServer()
	c.Change(config)
	return config
}

// Kinds are the kinds that have a config, with its path.
var Kinds = map[string]string{"MCPExternalAuthConfig": "spec.embeddedAuthServer", "VirtualMCPServer": "spec.authServerConfig"}

// Object returns an object of the kind with the config.
func (c Case) Object(kind, namespace, name string) *unstructured.Unstructured {
	if kind == "VirtualMCPServer" {
		return sample.Unstructured(sample.Virtual(namespace, name, c.Config()))
	}
	config := sample.Config(namespace, name)
	config.Spec.EmbeddedAuthServer = c.Config()
	return sample.Unstructured(config)
}

type config = v1alpha1.EmbeddedAuthServerConfig

func oidc(name string) v1alpha1.UpstreamProviderConfig {
	return v1alpha1.UpstreamProviderConfig{
		Name: name, Type: v1alpha1.UpstreamProviderTypeOIDC,
		OIDCConfig: &v1alpha1.OIDCUpstreamConfig{IssuerURL: "https://idp.example.com", ClientID: "scopegate"},
	}
}

func oauth2(name string, change func(*v1alpha1.OAuth2UpstreamConfig)) v1alpha1.UpstreamProviderConfig {
	provider := v1alpha1.UpstreamProviderConfig{
		Name: name, Type: v1alpha1.UpstreamProviderTypeOAuth2,
		OAuth2Config: &v1alpha1.OAuth2UpstreamConfig{
			AuthorizationEndpoint: "https://idp.example.com/authorize", TokenEndpoint: "https://idp.example.com/token", ClientID: "scopegate",
		},
	}
	change(provider.OAuth2Config)
	return provider
}

func providers(all ...v1alpha1.UpstreamProviderConfig) func(*config) {
	return func(c *config) { c.UpstreamProviders = all }
}

func ofOAuth2(change func(*v1alpha1.OAuth2UpstreamConfig)) func(*config) {
	return providers(oauth2("idp", change))
}

func issuer(url string) func(*config) { return func(c *config) { c.Issuer = url } }

func base(url string) func(*config) {
	return func(c *config) { c.AuthorizationEndpointBaseURL = url }
}

func tokenEndpoint(url string) func(*v1alpha1.OAuth2UpstreamConfig) {
	return func(c *v1alpha1.OAuth2UpstreamConfig) { c.TokenEndpoint = url }
}

func userInfo(url string) func(*v1alpha1.OAuth2UpstreamConfig) {
	return func(c *v1alpha1.OAuth2UpstreamConfig) { c.UserInfo = &v1alpha1.UserInfoConfig{EndpointURL: url} }
}

func redirect(uri string) func(*config) {
	return func(c *config) { c.UpstreamProviders[0].OIDCConfig.RedirectURI = uri }
}

func redirectOfOAuth2(uri string) func(*v1alpha1.OAuth2UpstreamConfig) {
	return func(c *v1alpha1.OAuth2UpstreamConfig) { c.RedirectURI = uri }
}

func forced(uris ...string) func(*config) {
	return func(c *config) { c.AllowConfidentialClientRegistration, c.ForceConfidentialRedirectURIs = true, uris }
}

func cache(enabled bool, ttl string) func(*config) {
	return func(c *config) { c.CIMD = &v1alpha1.CIMDConfig{Enabled: enabled, CacheFallbackTTL: ttl} }
}

func lifespans(access, refresh, code string) func(*config) {
	return func(c *config) {
		c.TokenLifespans = &v1alpha1.TokenLifespanConfig{AccessTokenLifespan: access, RefreshTokenLifespan: refresh, AuthCodeLifespan: code}
	}
}

// both makes two changes of a config, or of a provider.
func both[T any](one, other func(*T)) func(*T) {
	return func(c *T) {
		one(c)
		other(c)
	}
}

func insecure(c *config) { c.InsecureAllowHTTP = true }

func insecureProvider(c *v1alpha1.OAuth2UpstreamConfig) { c.InsecureAllowHTTP = true }
