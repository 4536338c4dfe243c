package resolve_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

const namespace = "ns"

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

type shape struct {
	State   resolve.State
	Config  string
	Missing []string
	Source  scopes.Source
	Cause   string
}

func shapeOf(pair resolve.Pair) shape {
	return shape{pair.Verdict.State, pair.ConfigName, pair.Verdict.Missing, pair.Verdict.Source, pair.Verdict.Cause}
}

// TestByReference covers every kind of verdict for the kinds that find their
// config by reference.
func TestByReference(t *testing.T) {
	shared := sample.Config(namespace, "shared", "openid", "admin")
	other := sample.Config(namespace, "other", "openid")
	empty := sample.Config(namespace, "empty")
	outright := sample.Config(namespace, "outright", "admin")
	outright.Spec.EmbeddedAuthServer.ScopesSupported = []string{"admin"}
	outgoing := sample.OutgoingConfig(namespace, "outgoing")
	unset := sample.Config(namespace, "unset")
	unset.Spec.EmbeddedAuthServer = nil
	all := configs(shared, other, empty, outright, outgoing, unset)

	both := func(auth, external string) v1alpha1.AuthReferences {
		refs := sample.AuthServerRef(auth)
		refs.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: external}
		return refs
	}
	withoutOIDC := func(refs v1alpha1.AuthReferences) v1alpha1.AuthReferences {
		refs.OIDCConfigRef = nil
		return refs
	}

	for name, tc := range map[string]struct {
		refs v1alpha1.AuthReferences
		want shape
	}{
		"no reference":                      {v1alpha1.AuthReferences{}, shape{}},
		"reference for outgoing calls":      {sample.ExternalAuthConfigRef("outgoing"), shape{}},
		"config does not exist":             {sample.AuthServerRef("gone"), shape{State: resolve.Unresolved, Config: "gone", Cause: "ConfigNotFound"}},
		"external config does not exist":    {sample.ExternalAuthConfigRef("gone"), shape{State: resolve.Unresolved, Config: "gone", Cause: "ConfigNotFound"}},
		"the second does not exist":         {both("other", "gone"), shape{State: resolve.Unresolved, Config: "gone", Cause: "ConfigNotFound"}},
		"authServerRef of another type":     {sample.AuthServerRef("outgoing"), shape{State: resolve.Unresolved, Config: "outgoing", Cause: "InvalidAuthServerRef"}},
		"authServerRef to no config":        {sample.AuthServerRef("unset"), shape{State: resolve.Unresolved, Config: "unset", Cause: "InvalidAuthServerRef"}},
		"both embedded":                     {both("other", "shared"), shape{State: resolve.Unresolved, Config: "other", Cause: "AuthServerConflict"}},
		"both the same":                     {both("other", "other"), shape{State: resolve.Unresolved, Config: "other", Cause: "AuthServerConflict"}},
		"authServerRef wins over outgoing":  {both("other", "outgoing"), shape{State: resolve.Supported, Config: "other", Source: scopes.FromDefaults}},
		"by externalAuthConfigRef":          {sample.ExternalAuthConfigRef("other", "openid"), shape{State: resolve.Supported, Config: "other", Source: scopes.FromOIDCConfigRef}},
		"defaults lack a scope":             {sample.AuthServerRef("shared"), shape{State: resolve.NotSupported, Config: "shared", Missing: []string{"admin"}, Source: scopes.FromDefaults}},
		"own scopes lack both":              {sample.AuthServerRef("shared", "x"), shape{State: resolve.NotSupported, Config: "shared", Missing: []string{"openid", "admin"}, Source: scopes.FromOIDCConfigRef}},
		"own scopes suffice":                {sample.AuthServerRef("shared", "admin", "openid"), shape{State: resolve.Supported, Config: "shared", Source: scopes.FromOIDCConfigRef}},
		"scopesSupported overrules":         {sample.AuthServerRef("outright", "x"), shape{State: resolve.Supported, Config: "outright", Source: scopes.FromScopesSupported}},
		"no oidcConfigRef":                  {withoutOIDC(sample.AuthServerRef("shared")), shape{State: resolve.Unresolved, Config: "shared", Cause: "OIDCConfigRequired"}},
		"no oidcConfigRef, scopesSupported": {withoutOIDC(sample.AuthServerRef("outright")), shape{State: resolve.Supported, Config: "outright", Source: scopes.FromScopesSupported}},
		"no oidcConfigRef, empty baseline":  {withoutOIDC(sample.AuthServerRef("empty")), shape{State: resolve.Supported, Config: "empty", Source: scopes.FromDefaults}},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := resolve.ConsumerOf(sample.Server(namespace, "web", tc.refs))
			proxy, _ := resolve.ConsumerOf(sample.Proxy(namespace, "web", tc.refs))
			for _, consumer := range []resolve.Consumer{server, proxy} {
				pair, err := resolve.Resolve(consumer, all)
				expect.NoError(t, err)
				if diff := cmp.Diff(tc.want, shapeOf(pair)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", consumer, diff)
				}
			}
		})
	}
}

func TestInline(t *testing.T) {
	outright := sample.AuthServer("admin")
	outright.ScopesSupported = []string{"admin"}
	for name, tc := range map[string]struct {
		config *v1alpha1.EmbeddedAuthServerConfig
		auth   v1alpha1.IncomingAuthConfig
		want   shape
	}{
		"no config": {nil, v1alpha1.IncomingAuthConfig{Type: "oidc", OIDCConfigRef: sample.OIDCConfigRef()}, shape{}},
		"supported": {sample.AuthServer("openid"), v1alpha1.IncomingAuthConfig{Type: "oidc", OIDCConfigRef: sample.OIDCConfigRef("openid")},
			shape{State: resolve.Supported, Source: scopes.FromOIDCConfigRef}},
		"not supported": {sample.AuthServer("admin"), v1alpha1.IncomingAuthConfig{Type: "oidc", OIDCConfigRef: sample.OIDCConfigRef()},
			shape{State: resolve.NotSupported, Missing: []string{"admin"}, Source: scopes.FromDefaults}},
		"anonymous": {sample.AuthServer("openid"), v1alpha1.IncomingAuthConfig{Type: "anonymous"},
			shape{State: resolve.Unresolved, Cause: "OIDCConfigRequired"}},
		"anonymous has no use for its oidcConfigRef": {sample.AuthServer("admin"), v1alpha1.IncomingAuthConfig{Type: "anonymous", OIDCConfigRef: sample.OIDCConfigRef("admin")},
			shape{State: resolve.Unresolved, Cause: "OIDCConfigRequired"}},
		"anonymous with scopesSupported": {outright, v1alpha1.IncomingAuthConfig{Type: "anonymous"},
			shape{State: resolve.Supported, Source: scopes.FromScopesSupported}},
	} {
		t.Run(name, func(t *testing.T) {
			virtual := sample.Virtual(namespace, "v", tc.config)
			virtual.Spec.IncomingAuth = tc.auth
			consumer, _ := resolve.ConsumerOf(virtual)
			pair, err := resolve.Resolve(consumer, configs())
			expect.NoError(t, err)
			expect.Equal(t, "", tc.want, shapeOf(pair))
		})
	}
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
	ported.Spec.ProxyPort = 9000
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

// TestReferences covers what is asked of a consumer before its verdict.
func TestReferences(t *testing.T) {
	anonymous := sample.Virtual(namespace, "v", sample.AuthServer())
	anonymous.Spec.IncomingAuth = v1alpha1.IncomingAuthConfig{Type: "anonymous"}
	twice := sample.AuthServerRef("a")
	twice.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: "a"}
	both := sample.AuthServerRef("a")
	both.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: "b"}
	for name, tc := range map[string]struct {
		object     any
		references bool
		configs    []string
		oidc       string
		field      string
	}{
		"none":       {sample.Server(namespace, "s", v1alpha1.AuthReferences{}), false, nil, "", "spec.oidcConfigRef"},
		"one":        {sample.Server(namespace, "s", sample.AuthServerRef("a")), true, []string{"a"}, "oidc", "spec.oidcConfigRef"},
		"the other":  {sample.Proxy(namespace, "p", sample.ExternalAuthConfigRef("a")), true, []string{"a"}, "oidc", "spec.oidcConfigRef"},
		"two":        {sample.Proxy(namespace, "p", both), true, []string{"a", "b"}, "oidc", "spec.oidcConfigRef"},
		"one twice":  {sample.Proxy(namespace, "p", twice), true, []string{"a"}, "oidc", "spec.oidcConfigRef"},
		"inline":     {anonymous, true, nil, "", "spec.incomingAuth.oidcConfigRef"},
		"not inline": {sample.Virtual(namespace, "v", nil), false, nil, "oidc", "spec.incomingAuth.oidcConfigRef"},
	} {
		t.Run(name, func(t *testing.T) {
			consumer, _ := resolve.ConsumerOf(tc.object)
			expect.Equal(t, "references", tc.references, consumer.References())
			expect.Equal(t, "configs", tc.configs, consumer.ConfigNames())
			expect.Equal(t, "MCPOIDCConfig", tc.oidc, consumer.OIDCConfigName())
			expect.Equal(t, "field", tc.field, consumer.OIDCField())
			if message := resolve.OIDCConfigRequired(consumer); !strings.Contains(message, tc.field+" ") && !strings.Contains(message, tc.field+":") {
				t.Errorf("%q does not name %s", message, tc.field)
			}
		})
	}
}
