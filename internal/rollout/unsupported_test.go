package rollout_test

import (
	"testing"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestUnsupportedFields sets each field that is not rendered, and expects a hold
// that names it.
func TestUnsupportedFields(t *testing.T) {
	opaque := &v1alpha1.OpaqueObject{Raw: []byte(`{"a":1}`)}
	params := map[string]string{"resource": "https://api.example.com"}
	clients := int32(0)
	type config = v1alpha1.EmbeddedAuthServerConfig
	oidc := func(change func(*v1alpha1.OIDCUpstreamConfig)) func(*config) {
		return func(c *config) { change(c.UpstreamProviders[0].OIDCConfig) }
	}
	oauth2 := func(change func(*v1alpha1.OAuth2UpstreamConfig)) func(*config) {
		return func(c *config) {
			provider := &c.UpstreamProviders[0]
			provider.Type, provider.OIDCConfig, provider.OAuth2Config = v1alpha1.UpstreamProviderTypeOAuth2, nil, &v1alpha1.OAuth2UpstreamConfig{
				AuthorizationEndpoint: "https://idp.example.com/authorize", TokenEndpoint: "https://idp.example.com/token", ClientID: "scopegate",
			}
			change(provider.OAuth2Config)
		}
	}
	name := testenv.AuthServer().UpstreamProviders[0].Name
	for field, set := range map[string]func(*config){
		"spiffeTrustDomains":    func(c *config) { c.SPIFFETrustDomains = []v1alpha1.OpaqueObject{*opaque} },
		"inboundGrants":         func(c *config) { c.InboundGrants = opaque },
		"delegateClients":       func(c *config) { c.DelegateClients = []v1alpha1.OpaqueObject{*opaque} },
		"trustedIssuers":        func(c *config) { c.TrustedIssuers = []v1alpha1.OpaqueObject{*opaque} },
		"registrationRateLimit": func(c *config) { c.RegistrationRateLimit = opaque },
		"tlsListener":           func(c *config) { c.TLSListener = opaque },
		"storage.maxDCRClients": func(c *config) { c.Storage = &v1alpha1.AuthServerStorageConfig{MaxDCRClients: &clients} },
		"upstreamProviders[" + name + "].oidcConfig.dcrConfig":               oidc(func(c *v1alpha1.OIDCUpstreamConfig) { c.DCRConfig = &v1alpha1.OpaqueObject{} }),
		"upstreamProviders[" + name + "].oidcConfig.additionalTokenParams":   oidc(func(c *v1alpha1.OIDCUpstreamConfig) { c.AdditionalTokenParams = params }),
		"upstreamProviders[" + name + "].oidcConfig.omitScopeOnRefresh":      oidc(func(c *v1alpha1.OIDCUpstreamConfig) { c.OmitScopeOnRefresh = true }),
		"upstreamProviders[" + name + "].oauth2Config.dcrConfig":             oauth2(func(c *v1alpha1.OAuth2UpstreamConfig) { c.DCRConfig = opaque }),
		"upstreamProviders[" + name + "].oauth2Config.additionalTokenParams": oauth2(func(c *v1alpha1.OAuth2UpstreamConfig) { c.AdditionalTokenParams = params }),
		"upstreamProviders[" + name + "].oauth2Config.omitScopeOnRefresh":    oauth2(func(c *v1alpha1.OAuth2UpstreamConfig) { c.OmitScopeOnRefresh = true }),
		"upstreamProviders[" + name + "].oauth2Config.tokenEndpointAuthMethod": oauth2(func(c *v1alpha1.OAuth2UpstreamConfig) {
			c.TokenEndpointAuthMethod = "client_secret_basic"
		}),
	} {
		t.Run(field, func(t *testing.T) {
			shared := testenv.Config(namespace, "shared", "openid")
			set(shared.Spec.EmbeddedAuthServer)
			_, hold := rollout.Check(testenv.Pair(testenv.Server(namespace, "web", testenv.AuthServerRef("shared")), shared), true)
			want := `spec.embeddedAuthServer of MCPExternalAuthConfig "shared" sets ` + field +
				`, which scopegate does not render: remove it, or let ToolHive's operator run MCPServer "web"`
			if hold == nil || hold.Reason != v1alpha1.ReasonUnsupportedField || !hold.Stalled || hold.Message != want {
				t.Errorf("got %+v, want %s", hold, want)
			}
		})
	}
}

// TestUpstreamFilterIsUnsupported is the same for the one field that is outside
// of the config.
func TestUpstreamFilterIsUnsupported(t *testing.T) {
	server := testenv.Virtual(namespace, "office", testenv.AuthServer("openid"))
	server.Spec.AuthServerUpstreamFilter = &v1alpha1.OpaqueObject{}
	if _, hold := rollout.Check(testenv.Pair(server), true); hold != nil {
		t.Errorf("an empty filter holds: %+v", hold)
	}
	server.Spec.AuthServerUpstreamFilter.Raw = []byte(`{"rules":[{"groups":["a"],"upstreamProviders":["b"]}]}`)
	_, hold := rollout.Check(testenv.Pair(server), true)
	want := `VirtualMCPServer "office" sets spec.authServerUpstreamFilter, which scopegate does not render: remove it, or let ToolHive's operator run it`
	if hold == nil || hold.Reason != v1alpha1.ReasonUnsupportedField || !hold.Stalled || hold.Message != want {
		t.Errorf("got %+v, want %s", hold, want)
	}
}
