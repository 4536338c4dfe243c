package resolve_test

import (
	"errors"
	"flag"
	"fmt"
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

func configs(objects ...*v1beta1.MCPExternalAuthConfig) resolve.ConfigLookup {
	return func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		for _, object := range objects {
			if object.Name == name {
				return object, nil
			}
		}
		return nil, nil
	}
}

var (
	states  = []string{"no auth server", "Supported", "NotSupported", "Unresolved"}
	sources = []string{"scopesSupported", "oidcConfigRef", "defaults"}
)

// resolved returns a line with everything that is known of a consumer.
func resolved(t *testing.T, object any, known ...*v1beta1.MCPExternalAuthConfig) string {
	t.Helper()
	consumer, _ := resolve.ConsumerOf(object)
	pair, err := resolve.Resolve(consumer, configs(known...))
	expect.NoError(t, err)
	verdict, scopes := pair.Verdict, ""
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
				lines.WriteString(resolved(t, object, known...))
			}
		}
	}
	expect.Golden(t, *update, "testdata/references.txt", lines.String())
}

// TestScopes resolves every combination of a baseline, scopesSupported and the scopes of the
// reference to an MCPOIDCConfig, which may be absent. The provider requests a scope.
func TestScopes(t *testing.T) {
	var lines strings.Builder
	for _, baseline := range [][]string{nil, {"openid"}, {"openid", "admin"}} {
		for _, supported := range [][]string{nil, {"openid"}, {"admin", "openid"}} {
			shared := sample.Config(namespace, "shared", baseline...)
			config := shared.Spec.EmbeddedAuthServer
			config.ScopesSupported, config.UpstreamProviders[0].OIDCConfig.Scopes = supported, []string{"admin"}
			for _, listed := range [][]string{{"no reference"}, nil, {"x"}, {"admin", "openid"}} {
				server := sample.Server(namespace, "web", sample.AuthServerRef("shared", listed...))
				virtual := sample.Virtual(namespace, "v", config, listed...)
				if len(listed) == 1 && listed[0] == "no reference" {
					// An anonymous VirtualMCPServer has no use for it.
					server.Spec.OIDCConfigRef, virtual.Spec.IncomingAuth.Type = nil, "anonymous"
				}
				fmt.Fprintf(&lines, "\nbaseline %q, scopesSupported %q, scopes %q\n", baseline, supported, listed)
				lines.WriteString(resolved(t, server, shared) + resolved(t, virtual))
			}
		}
	}
	lines.WriteString("\nno config\n" + resolved(t, sample.Virtual(namespace, "v", nil)))
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
	for name, tc := range map[string]struct {
		object any
		want   string
	}{
		"given":           {sample.Server(namespace, "web", sample.AuthServerRef("shared")), "https://mcp.example.com"},
		"default":         {sample.Server(namespace, "web", bare), "http://web.ns.svc.cluster.local:8080"},
		"default, ported": {ported, "http://web.ns.svc.cluster.local:9000"},
		"proxy":           {sample.Proxy(namespace, "p", bare), "http://p.ns.svc.cluster.local:8080"},
		"proxy, ported":   {portedProxy, "http://p.ns.svc.cluster.local:9000"},
		"virtual":         {virtual, "http://v.ns.svc.cluster.local:4483"},
	} {
		t.Run(name, func(t *testing.T) {
			consumer, ok := resolve.ConsumerOf(tc.object)
			if got := consumer.ResourceURL(); !ok || got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
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
	for name, tc := range map[string]struct {
		listed []string
		want   resolve.State
	}{
		"no scopes are listed": {nil, resolve.Supported},
		"scopes are listed":    {[]string{"openid"}, resolve.NotSupported},
	} {
		t.Run(name, func(t *testing.T) {
			consumer, _ := resolve.ConsumerOf(sample.Virtual("ns", "v", config, tc.listed...))
			consumer.Defaults = []string{"openid", "groups"}
			pair, err := resolve.Resolve(consumer, nil)
			if err != nil || pair.Verdict.State != tc.want {
				t.Errorf("got %+v, %v; want state %v", pair.Verdict, err, tc.want)
			}
		})
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
		t.Run(name, func(t *testing.T) {
			provider, requested := resolve.RequestedUpstream(config, tc.missing)
			expect.Equal(t, "provider", tc.provider, provider)
			expect.Equal(t, "scopes", tc.requested, requested)
		})
	}
}
