package rollout_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

const namespace = "ns"

// TestHolds covers every reason to hold a rollout.
func TestHolds(t *testing.T) {
	config := func(change func(*v1alpha1.EmbeddedAuthServerConfig)) *v1beta1.MCPExternalAuthConfig {
		config := sample.Config(namespace, "shared", "openid")
		if change != nil {
			change(config.Spec.EmbeddedAuthServer)
		}
		return config
	}
	server := func(change func(*v1beta1.MCPServer)) *v1beta1.MCPServer {
		server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
		if change != nil {
			change(server)
		}
		return server
	}
	opaque := v1alpha1.OpaqueObject{Raw: []byte(`{"a":1}`)}
	secondUpstream := func(c *v1alpha1.EmbeddedAuthServerConfig) {
		second := *c.UpstreamProviders[0].DeepCopy()
		second.Name = "second"
		c.UpstreamProviders = append(c.UpstreamProviders, second)
	}

	for name, tc := range map[string]struct {
		object      any
		config      *v1beta1.MCPExternalAuthConfig
		oidcMissing bool
		reason      string
		waiting     bool
		message     string
	}{
		"config does not exist":         {server(nil), nil, false, "ConfigNotFound", true, `MCPExternalAuthConfig "shared"`},
		"authServerRef of another type": {server(nil), sample.OutgoingConfig(namespace, "shared"), false, "InvalidAuthServerRef", false, "unauthenticated"},
		"both references": {server(func(s *v1beta1.MCPServer) {
			s.Spec.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: "shared"}
		}), config(nil), false, "AuthServerConflict", false, "spec.externalAuthConfigRef"},
		"no oidcConfigRef": {server(func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef = nil }), config(nil), true, "OIDCConfigRequired", false, "spec.oidcConfigRef"},
		"no oidcConfigRef, scopesSupported": {server(func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef = nil }),
			config(func(c *v1alpha1.EmbeddedAuthServerConfig) { c.ScopesSupported = []string{"openid"} }), true, "OIDCConfigRequired", false, "spec.oidcConfigRef"},
		"MCPOIDCConfig does not exist":                  {server(nil), config(nil), true, "OIDCConfigNotFound", true, `MCPOIDCConfig "oidc"`},
		"not supported":                                 {server(nil), config(func(c *v1alpha1.EmbeddedAuthServerConfig) { c.BaselineClientScopes = []string{"admin"} }), false, "BaselineScopeNotSupported", false, `scope "admin" is not supported by the auth server of MCPServer "web"`},
		"not supported comes before what is waited for": {server(nil), config(func(c *v1alpha1.EmbeddedAuthServerConfig) { c.BaselineClientScopes = []string{"admin"} }), true, "BaselineScopeNotSupported", false, `scope "admin" is not supported by the auth server of MCPServer "web"`},
		"audience":                             {server(func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef.Audience = "https://other.example.com" }), config(nil), false, "AudienceMismatch", false, `"https://mcp.example.com"`},
		"what only a user can fix comes first": {server(func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef.Audience = "x" }), config(nil), true, "AudienceMismatch", false, ""},
		"two upstreams":                        {server(nil), config(secondUpstream), false, "TooManyUpstreams", false, "2 upstreamProviders"},
		"inboundGrants":                        {server(nil), config(func(c *v1alpha1.EmbeddedAuthServerConfig) { c.InboundGrants = &opaque }), false, "UnsupportedField", false, "inboundGrants"},
		"delegateClients and trustedIssuers": {server(nil), config(func(c *v1alpha1.EmbeddedAuthServerConfig) {
			c.DelegateClients, c.TrustedIssuers = []v1alpha1.OpaqueObject{opaque}, []v1alpha1.OpaqueObject{opaque}
		}), false, "UnsupportedField", false, "delegateClients, trustedIssuers"},
		"spiffeTrustDomains": {server(nil), config(func(c *v1alpha1.EmbeddedAuthServerConfig) { c.SPIFFETrustDomains = []v1alpha1.OpaqueObject{opaque} }), false, "UnsupportedField", false, "spiffeTrustDomains"},
		"dcrConfig": {server(nil), config(func(c *v1alpha1.EmbeddedAuthServerConfig) {
			c.UpstreamProviders[0] = v1alpha1.UpstreamProviderConfig{Name: "idp", Type: "oauth2", OAuth2Config: &v1alpha1.OAuth2UpstreamConfig{DCRConfig: &opaque}}
		}), false, "UnsupportedField", false, "upstreamProviders[idp].oauth2Config.dcrConfig"},
		"http issuer": {server(nil), config(func(c *v1alpha1.EmbeddedAuthServerConfig) { c.Issuer = "http://auth.example.com" }), false, "InvalidConfig", false, "issuer"},
		"no upstream": {server(nil), config(func(c *v1alpha1.EmbeddedAuthServerConfig) { c.UpstreamProviders = nil }), false, "InvalidConfig", false, "upstreamProviders"},
		"lifespan": {server(nil), config(func(c *v1alpha1.EmbeddedAuthServerConfig) {
			c.TokenLifespans = &v1alpha1.TokenLifespanConfig{AccessTokenLifespan: "48h"}
		}), false, "InvalidConfig", false, "tokenLifespans.accessTokenLifespan"},
		"redis without it": {server(nil), config(func(c *v1alpha1.EmbeddedAuthServerConfig) {
			c.Storage = &v1alpha1.AuthServerStorageConfig{Type: "redis"}
		}), false, "InvalidConfig", false, "storage.redis"},
		"redirect to http": {server(func(s *v1beta1.MCPServer) {
			s.Spec.OIDCConfigRef.ResourceURL, s.Spec.OIDCConfigRef.Audience = "http://mcp.example.com", "http://mcp.example.com"
		}), config(nil), false, "InvalidConfig", false, "redirectUri"},
		"too large": {server(func(s *v1beta1.MCPServer) {
			s.Spec.OIDCConfigRef.Scopes = sample.Many(strings.Repeat("x", 250), 1000)
		}), config(func(c *v1alpha1.EmbeddedAuthServerConfig) { c.BaselineClientScopes = nil }), false, "RunConfigTooLarge", false, "shorten its lists of scopes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, hold := rollout.Check(sample.Pair(tc.object, tc.config), !tc.oidcMissing)
			if hold == nil {
				t.Fatal("not held")
			}
			if hold.Reason != tc.reason || hold.Stalled == tc.waiting {
				t.Errorf("held for %s (stalled %v), want %s (stalled %v): %s", hold.Reason, hold.Stalled, tc.reason, !tc.waiting, hold.Message)
			}
			if !strings.Contains(hold.Message, tc.message) {
				t.Errorf("the message %q does not name %q", hold.Message, tc.message)
			}
		})
	}
}

// TestDefaultsAreNotSet checks that an object which went through ToolHive's CRDs
// is not held: they set the defaults of absent fields.
func TestDefaultsAreNotSet(t *testing.T) {
	config := sample.Config(namespace, "shared", "openid")
	config.Spec.EmbeddedAuthServer.InboundGrants = &v1alpha1.OpaqueObject{Raw: []byte(`{ }`)}
	config.Spec.EmbeddedAuthServer.CIMD = &v1alpha1.CIMDConfig{Enabled: false}
	config.Spec.EmbeddedAuthServer.Storage = &v1alpha1.AuthServerStorageConfig{Type: "memory"}
	config.Spec.EmbeddedAuthServer.DelegateClients = []v1alpha1.OpaqueObject{}
	checked, hold := rollout.Check(sample.Pair(sample.Server(namespace, "web", sample.AuthServerRef("shared")), config), true)
	if hold != nil {
		t.Fatalf("held for %s: %s", hold.Reason, hold.Message)
	}
	bare, _ := rollout.Check(sample.Pair(sample.Server(namespace, "web", sample.AuthServerRef("shared")), sample.Config(namespace, "shared", "openid")), true)
	expect.Equal(t, "defaults change the run config", bare.RunConfig(), checked.RunConfig())
}

func TestSeveralUpstreamsAreForVirtualMCPServers(t *testing.T) {
	config := sample.AuthServer("openid")
	second := *config.UpstreamProviders[0].DeepCopy()
	second.Name = "second"
	config.UpstreamProviders = append(config.UpstreamProviders, second)
	if _, hold := rollout.Check(sample.Pair(sample.Virtual(namespace, "v", config)), true); hold != nil {
		t.Errorf("held for %s: %s", hold.Reason, hold.Message)
	}
}

// TestEveryMessageFitsIntoACondition checks the limit on the message of Ready.
func TestEveryMessageFitsIntoACondition(t *testing.T) {
	server := sample.Server(namespace, strings.Repeat("n", 253), sample.AuthServerRef("shared"))
	server.Spec.OIDCConfigRef.Audience = strings.Repeat("a", 5000)
	pair := sample.Pair(server, sample.Config(namespace, "shared"))
	_, hold := rollout.Check(pair, true)
	for _, condition := range condition.Held(hold.Reason, hold.Message, hold.Stalled) {
		if len(condition.Message) > 2048 {
			t.Errorf("%s has %d bytes", condition.Type, len(condition.Message))
		}
	}
}

func TestChildName(t *testing.T) {
	seen := map[string]string{}
	for _, kind := range []string{resolve.KindMCPServer, resolve.KindMCPRemoteProxy, resolve.KindVirtualMCPServer} {
		for _, name := range []string{
			"web", "web.1", "web-1", "1web", "0", "a.b.c", strings.Repeat("a", 253), strings.Repeat("a", 252) + "b",
			strings.Repeat("a.", 126) + "a", strings.Repeat("a", 39) + ".b",
		} {
			got := rollout.ChildName(resolve.Consumer{Kind: kind, Namespace: "ns", Name: name})
			// The strictest rule for the names of Services and labels.
			if errs := validation.IsDNS1035Label(got); len(errs) > 0 {
				t.Errorf("%s %q gives %q: %v", kind, name, got, errs)
			}
			if other, ok := seen[got]; ok {
				t.Errorf("%s %q and %s have the same child %q", kind, name, other, got)
			}
			seen[got] = kind + " " + name
		}
	}
}

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
	name := sample.AuthServer().UpstreamProviders[0].Name
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
			shared := sample.Config(namespace, "shared", "openid")
			set(shared.Spec.EmbeddedAuthServer)
			_, hold := rollout.Check(sample.Pair(sample.Server(namespace, "web", sample.AuthServerRef("shared")), shared), true)
			want := `spec.embeddedAuthServer of MCPExternalAuthConfig "shared" sets ` + field +
				`, which scopegate does not render: remove it, or let ToolHive's operator run MCPServer "web"`
			if hold == nil || hold.Reason != v1alpha1.ReasonUnsupportedField || !hold.Stalled || hold.Message != want {
				t.Errorf("got %+v, want %s", hold, want)
			}
		})
	}
}

// TestUpstreamFilterIsUnsupported does the same for the only such field outside
// of the config.
func TestUpstreamFilterIsUnsupported(t *testing.T) {
	server := sample.Virtual(namespace, "office", sample.AuthServer("openid"))
	server.Spec.AuthServerUpstreamFilter = &v1alpha1.OpaqueObject{}
	if _, hold := rollout.Check(sample.Pair(server), true); hold != nil {
		t.Errorf("an empty filter holds: %+v", hold)
	}
	server.Spec.AuthServerUpstreamFilter.Raw = []byte(`{"rules":[{"groups":["a"],"upstreamProviders":["b"]}]}`)
	_, hold := rollout.Check(sample.Pair(server), true)
	want := `VirtualMCPServer "office" sets spec.authServerUpstreamFilter, which scopegate does not render: remove it, or let ToolHive's operator run it`
	if hold == nil || hold.Reason != v1alpha1.ReasonUnsupportedField || !hold.Stalled || hold.Message != want {
		t.Errorf("got %+v, want %s", hold, want)
	}
}
