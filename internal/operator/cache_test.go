package operator

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestCacheKeepsThatFieldsAreSet holds a rollout for the same fields before and
// after their content is stripped.
func TestCacheKeepsThatFieldsAreSet(t *testing.T) {
	opaque := func() *v1alpha1.OpaqueObject { return &v1alpha1.OpaqueObject{Raw: []byte(`{"long":"content"}`)} }
	server := &v1beta1.VirtualMCPServer{ObjectMeta: metav1.ObjectMeta{Name: "office", Namespace: "ns"}}
	server.Spec = v1alpha1.VirtualMCPServerSpec{
		IncomingAuth: v1alpha1.IncomingAuthConfig{Type: v1alpha1.IncomingAuthTypeOIDC, OIDCConfigRef: &v1alpha1.MCPOIDCConfigReference{
			Name: "oidc", Audience: "https://mcp.example.com", ResourceURL: "https://mcp.example.com",
		}},
		AuthServerConfig: &v1alpha1.EmbeddedAuthServerConfig{
			Issuer:             "https://auth.example.com",
			SPIFFETrustDomains: []v1alpha1.OpaqueObject{*opaque()}, InboundGrants: opaque(), DelegateClients: []v1alpha1.OpaqueObject{*opaque()},
			TrustedIssuers: []v1alpha1.OpaqueObject{*opaque()}, RegistrationRateLimit: opaque(), TLSListener: opaque(),
			UpstreamProviders: []v1alpha1.UpstreamProviderConfig{
				{Name: "a", Type: v1alpha1.UpstreamProviderTypeOIDC, OIDCConfig: &v1alpha1.OIDCUpstreamConfig{IssuerURL: "https://a.example.com", DCRConfig: opaque()}},
				{Name: "b", Type: v1alpha1.UpstreamProviderTypeOAuth2, OAuth2Config: &v1alpha1.OAuth2UpstreamConfig{DCRConfig: opaque()}},
			},
		},
		AuthServerUpstreamFilter: opaque(),
	}
	check := func(server *v1beta1.VirtualMCPServer) string {
		consumer, _ := resolve.ConsumerOf(server)
		pair, err := resolve.Resolve(consumer, nil)
		expect.NoError(t, err)
		_, hold := rollout.Check(pair, true)
		if hold == nil {
			t.Fatal("not held")
		}
		return hold.Message
	}
	want := check(server)
	stripped := server.DeepCopy()
	stripVirtual(stripped)
	if got := check(stripped); got != want {
		t.Errorf("after stripping: %s\nbefore: %s", got, want)
	}
	config := stripped.Spec.AuthServerConfig
	for name, object := range map[string]*v1alpha1.OpaqueObject{
		"spiffeTrustDomains": &config.SPIFFETrustDomains[0], "inboundGrants": config.InboundGrants, "delegateClients": &config.DelegateClients[0],
		"trustedIssuers": &config.TrustedIssuers[0], "registrationRateLimit": config.RegistrationRateLimit, "tlsListener": config.TLSListener,
		"oidcConfig.dcrConfig":     config.UpstreamProviders[0].OIDCConfig.DCRConfig,
		"oauth2Config.dcrConfig":   config.UpstreamProviders[1].OAuth2Config.DCRConfig,
		"authServerUpstreamFilter": stripped.Spec.AuthServerUpstreamFilter,
	} {
		if string(object.Raw) != string(opaqueMarker) {
			t.Errorf("%s keeps its content in the cache: %s", name, object.Raw)
		}
	}
	// The filter alone: its check comes after that of the config.
	stripped.Spec.AuthServerConfig = &v1alpha1.EmbeddedAuthServerConfig{Issuer: "https://auth.example.com"}
	if got := check(stripped); got != `VirtualMCPServer "office" sets spec.authServerUpstreamFilter, which scopegate does not render: remove it, or let ToolHive's operator run it` {
		t.Errorf("the filter alone: %s", got)
	}
}
