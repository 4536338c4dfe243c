package resolve_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

const namespace = "ns"

var update = flag.Bool("update", false, "write the golden files anew")

var states = []string{"no auth server", "Supported", "NotSupported", "Unresolved"}
var sources = []string{"scopesSupported", "oidcConfigRef", "defaults"}

// resolved returns a line with everything that is known of a consumer.
func resolved(object any, known ...*v1beta1.MCPExternalAuthConfig) string {
	pair := sample.Pair(object, known...)
	consumer, verdict, scopes := pair.Consumer, pair.Verdict, ""
	if verdict.Effective != nil {
		scopes = fmt.Sprintf(", effective %q from %s", verdict.Effective, sources[verdict.Source])
	}
	if verdict.Missing != nil || verdict.Requested != nil {
		scopes += fmt.Sprintf(", missing %q, provider %q requests %q", verdict.Missing, verdict.Upstream, verdict.Requested)
	}
	line := fmt.Sprintf("%s references %t %q, and %q by %s: %s, config %q %t%s %s %s", consumer, consumer.References(), consumer.ConfigNames(),
		consumer.OIDCConfigName(), consumer.OIDCField(), states[verdict.State], pair.ConfigName, pair.Config != nil, scopes, verdict.Cause, verdict.Why)
	return strings.TrimSpace(line) + "\n"
}

// TestReferences resolves every combination of two references, to a config that does not
// exist, one of another type, one without its content, and two good ones.
func TestReferences(t *testing.T) {
	unset := sample.Config(namespace, "unset")
	unset.Spec.EmbeddedAuthServer = nil
	known := []*v1beta1.MCPExternalAuthConfig{
		sample.Config(namespace, "a", "openid"), sample.Config(namespace, "b", "admin"), sample.OutgoingConfig(namespace, "outgoing"), unset,
	}
	var lines strings.Builder
	names := []string{"", "gone", "outgoing", "unset", "a", "b"}
	for _, auth := range names {
		for _, external := range names {
			refs := v1alpha1.AuthReferences{OIDCConfigRef: sample.OIDCConfigRef()}
			if auth != "" {
				refs.AuthServerRef = &v1alpha1.AuthServerRef{Kind: "MCPExternalAuthConfig", Name: auth}
			}
			if external != "" {
				refs.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: external}
			}
			fmt.Fprintf(&lines, "\nauthServerRef %q, externalAuthConfigRef %q\n", auth, external)
			for _, object := range []any{sample.Server(namespace, "web", refs), sample.Proxy(namespace, "web", refs)} {
				lines.WriteString(resolved(object, known...))
			}
		}
	}
	expect.Golden(t, *update, "testdata/references.txt", lines.String())
}

// TestScopes resolves every combination of a baseline, scopesSupported and the scopes of the
// reference to an MCPOIDCConfig, which may be absent. An empty list is as an absent one. The provider requests a scope.
func TestScopes(t *testing.T) {
	var lines strings.Builder
	for _, baseline := range [][]string{{}, {"openid"}, {"openid", "admin"}} {
		for _, supported := range [][]string{{}, {"openid"}, {"admin", "openid"}} {
			shared := sample.Config(namespace, "shared", baseline...)
			config := shared.Spec.EmbeddedAuthServer
			config.ScopesSupported, config.UpstreamProviders[0].OIDCConfig.Scopes = supported, []string{"admin"}
			for _, listed := range [][]string{{"no reference"}, {}, {"x"}, {"admin", "openid"}} {
				server := sample.Server(namespace, "web", sample.AuthServerRef("shared", listed...))
				virtual := sample.Virtual(namespace, "v", config, listed...)
				if slices.Contains(listed, "no reference") {
					// An anonymous VirtualMCPServer has no use for it.
					server.Spec.OIDCConfigRef, virtual.Spec.IncomingAuth.Type = nil, "anonymous"
				}
				fmt.Fprintf(&lines, "\nbaseline %q, scopesSupported %q, scopes %q\n", baseline, supported, listed)
				lines.WriteString(resolved(server, shared) + resolved(virtual))
			}
		}
	}
	lines.WriteString("\nno config\n" + resolved(sample.Virtual(namespace, "v", nil)))
	expect.Golden(t, *update, "testdata/scopes.txt", lines.String())
}

func TestErrorsOfTheLookupAreReturned(t *testing.T) {
	broken := errors.New("broken")
	consumer, _ := resolve.ConsumerOf(sample.Server(namespace, "web", sample.AuthServerRef("shared")))
	_, err := resolve.Resolve(consumer, func(string) (*v1beta1.MCPExternalAuthConfig, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestResourceURL(t *testing.T) {
	bare := v1alpha1.AuthReferences{OIDCConfigRef: &v1alpha1.MCPOIDCConfigReference{Name: "oidc", Audience: "x"}}
	ported := sample.Server(namespace, "web", bare)
	portedProxy := sample.Proxy(namespace, "p", bare)
	ported.Spec.ProxyPort, portedProxy.Spec.ProxyPort = 9000, 9000
	virtual := sample.Virtual(namespace, "v", nil)
	virtual.Spec.IncomingAuth.OIDCConfigRef.ResourceURL = ""
	for want, object := range map[string]any{
		"https://mcp.example.com":              sample.Server(namespace, "web", sample.AuthServerRef("shared")),
		"http://web.ns.svc.cluster.local:8080": sample.Server(namespace, "web", bare),
		"http://web.ns.svc.cluster.local:9000": ported,
		"http://p.ns.svc.cluster.local:8080":   sample.Proxy(namespace, "p", bare),
		"http://p.ns.svc.cluster.local:9000":   portedProxy,
		"http://v.ns.svc.cluster.local:4483":   virtual,
	} {
		consumer, _ := resolve.ConsumerOf(object)
		expect.Equal(t, "the URL of "+consumer.String(), want, consumer.ResourceURL())
	}
}

func TestOtherKindsAreNoConsumers(t *testing.T) {
	for _, object := range []any{sample.Config(namespace, "c"), sample.OIDCConfig(namespace, "o"), nil} {
		if consumer, ok := resolve.ConsumerOf(object); ok {
			t.Errorf("%T is taken for %s", object, consumer)
		}
	}
}

// TestDefaultsOfAnotherRelease checks that a consumer's own defaults apply, and
// only if no scopes are configured.
func TestDefaultsOfAnotherRelease(t *testing.T) {
	config := sample.AuthServer("openid", "groups")
	for want, listed := range map[resolve.State][]string{resolve.Supported: nil, resolve.NotSupported: {"openid"}} {
		consumer, _ := resolve.ConsumerOf(sample.Virtual("ns", "v", config, listed...))
		consumer.Defaults = []string{"openid", "groups"}
		pair, err := resolve.Resolve(consumer, nil)
		expect.NoError(t, err)
		expect.Equal(t, fmt.Sprintf("the verdict with the scopes %q", listed), want, pair.Verdict.State)
	}
}

// TestRequestedUpstream covers both kinds of providers.
func TestRequestedUpstream(t *testing.T) {
	config := sample.AuthServer()
	config.UpstreamProviders = append(config.UpstreamProviders, v1alpha1.UpstreamProviderConfig{
		Name: "other", Type: v1alpha1.UpstreamProviderTypeOAuth2, OAuth2Config: &v1alpha1.OAuth2UpstreamConfig{Scopes: []string{"repo", "groups"}},
	}, v1alpha1.UpstreamProviderConfig{Name: "empty"})
	config.UpstreamProviders[0].OIDCConfig.Scopes = []string{"groups", "openid"}
	for name, tc := range map[string]struct {
		missing, requested []string
		provider           string
	}{
		"nothing missing": {nil, nil, ""},
		"in none":         {[]string{"admin"}, nil, ""},
		"in both":         {[]string{"groups"}, []string{"groups"}, "idp"},
		"in the second":   {[]string{"admin", "repo"}, []string{"repo"}, "other"},
		"case counts":     {[]string{"Groups"}, nil, ""},
		"one in each":     {[]string{"repo", "groups"}, []string{"groups"}, "idp"},
	} {
		provider, requested := resolve.RequestedUpstream(config, tc.missing)
		expect.Equal(t, name+": provider", tc.provider, provider)
		expect.Equal(t, name+": scopes", tc.requested, requested)
	}
}
