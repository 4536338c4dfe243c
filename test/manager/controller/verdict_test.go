package controller_test

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// TestVerdictByReference covers the verdicts, and the reasons to hold a
// rollout, on the kinds that find their config by reference, by either field.
func TestVerdictByReference(t *testing.T) {
	t.Parallel()
	type row struct {
		config *v1beta1.MCPExternalAuthConfig
		refs   v1alpha1.AuthReferences
		// others exist besides the config. The MCPOIDCConfig exists unless
		// withoutOIDC is true.
		others      []client.Object
		withoutOIDC bool
		consumer    verdict
		onConfig    verdict
	}
	type refsOf func(config string, scopes ...string) v1alpha1.AuthReferences
	rows := func(namespace string, refs refsOf) map[string]row {
		config := func(change func(*v1alpha1.EmbeddedAuthServerConfig), baseline ...string) *v1beta1.MCPExternalAuthConfig {
			config := sample.Config(namespace, "shared", baseline...)
			if change != nil {
				change(config.Spec.EmbeddedAuthServer)
			}
			return config
		}
		outright := func(c *v1alpha1.EmbeddedAuthServerConfig) { c.ScopesSupported = []string{"admin"} }
		withoutRef := refs("shared")
		withoutRef.OIDCConfigRef = nil
		otherAudience := refs("shared")
		otherAudience.OIDCConfigRef.Audience = "https://other.example.com"
		return map[string]row{
			"no embedded config":    {config: sample.OutgoingConfig(namespace, "shared"), refs: sample.ExternalAuthConfigRef("shared")},
			"config does not exist": {refs: refs("shared"), consumer: waiting(isNotResolved, "ConfigNotFound")},
			"authServerRef of another type": {config: sample.OutgoingConfig(namespace, "shared"), refs: sample.AuthServerRef("shared"),
				consumer: held(isNotResolved, "InvalidAuthServerRef")},
			"no oidcConfigRef": {config: config(nil, "openid"), refs: withoutRef,
				consumer: held(isNotResolved, "OIDCConfigRequired"), onConfig: verdict{Valid: isNotResolved}},
			"no oidcConfigRef, scopesSupported": {config: config(outright, "admin"), refs: withoutRef,
				consumer: held(isSupported, "OIDCConfigRequired"), onConfig: verdict{Valid: isSupported}},
			"MCPOIDCConfig does not exist": {config: config(nil, "openid"), refs: refs("shared"), withoutOIDC: true,
				consumer: waiting(isSupported, "OIDCConfigNotFound"), onConfig: verdict{Valid: isSupported}},
			"MCPOIDCConfig does not exist, not supported": {config: config(nil, "admin"), refs: refs("shared"), withoutOIDC: true,
				consumer: held(isNotSupported, "BaselineScopeNotSupported"), onConfig: verdict{Valid: isNotSupported}},
			"audience": {config: config(nil, "openid"), refs: otherAudience,
				consumer: held(isSupported, "AudienceMismatch"), onConfig: verdict{Valid: isSupported}},
			"two upstreams": {config: config(func(c *v1alpha1.EmbeddedAuthServerConfig) {
				second := *c.UpstreamProviders[0].DeepCopy()
				second.Name = "second"
				c.UpstreamProviders = append(c.UpstreamProviders, second)
			}, "openid"), refs: refs("shared"), consumer: held(isSupported, "TooManyUpstreams"), onConfig: verdict{Valid: isSupported}},
			"unsupported field": {config: config(func(c *v1alpha1.EmbeddedAuthServerConfig) {
				c.InboundGrants = &v1alpha1.OpaqueObject{Raw: []byte(`{"tokenExchange":{}}`)}
			}, "openid"), refs: refs("shared"), consumer: held(isSupported, "UnsupportedField"), onConfig: verdict{Valid: isSupported}},
			"invalid issuer": {config: config(func(c *v1alpha1.EmbeddedAuthServerConfig) { c.Issuer = "http://auth.example.com" }, "openid"),
				refs: refs("shared"), consumer: held(isSupported, "InvalidConfig"), onConfig: verdict{Valid: isSupported}},
			"not supported by the defaults": {config: config(nil, "openid", "admin"), refs: refs("shared"),
				consumer: held(isNotSupported, "BaselineScopeNotSupported"), onConfig: verdict{Valid: isNotSupported}},
			"not supported by own scopes": {config: config(nil, "openid"), refs: refs("shared", "profile"),
				consumer: held(isNotSupported, "BaselineScopeNotSupported"), onConfig: verdict{Valid: isNotSupported}},
			"supported by own scopes":      {config: config(nil, "admin"), refs: refs("shared", "openid", "admin"), consumer: rolling, onConfig: verdict{Valid: isSupported}},
			"supported by the defaults":    {config: config(nil, "openid", "offline_access"), refs: refs("shared"), consumer: rolling, onConfig: verdict{Valid: isSupported}},
			"supported by scopesSupported": {config: config(outright, "admin"), refs: refs("shared", "openid"), consumer: rolling, onConfig: verdict{Valid: isSupported}},
			"empty baseline":               {config: config(nil), refs: refs("shared", "x"), consumer: rolling, onConfig: verdict{Valid: isSupported}},
		}
	}

	for field, refs := range map[string]refsOf{"authServerRef": sample.AuthServerRef, "externalAuthConfigRef": sample.ExternalAuthConfigRef} {
		for name := range rows("", refs) {
			t.Run(field+"/"+name, func(t *testing.T) {
				t.Parallel()
				namespace := cluster.Namespace(t)
				row := rows(namespace, refs)[name]
				if !row.withoutOIDC {
					cluster.Create(t, sample.OIDCConfig(namespace, "oidc"))
				}
				if row.config != nil {
					cluster.Create(t, row.config)
				}
				cluster.Create(t, row.others...)
				server := sample.Server(namespace, "server", *row.refs.DeepCopy())
				proxy := sample.Proxy(namespace, "proxy", *row.refs.DeepCopy())
				cluster.Create(t, server, proxy)
				awaitVerdict(t, server, row.consumer)
				awaitVerdict(t, proxy, row.consumer)
				if row.config != nil {
					awaitVerdict(t, row.config, row.onConfig)
				}
				if row.consumer != rolling {
					noChildren(t, server)
					noChildren(t, proxy)
				}
			})
		}
	}
}

func TestVerdictOfBothReferences(t *testing.T) {
	t.Parallel()
	both := func(auth, external string) v1alpha1.AuthReferences {
		refs := sample.AuthServerRef(auth)
		refs.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: external}
		return refs
	}
	for name, tc := range map[string]struct {
		refs                  v1alpha1.AuthReferences
		consumer, one, second verdict
	}{
		"two embedded configs":                    {both("one", "second"), held(isNotResolved, "AuthServerConflict"), verdict{Valid: isNotResolved}, verdict{Valid: isNotResolved}},
		"twice the same":                          {both("one", "one"), held(isNotResolved, "AuthServerConflict"), verdict{Valid: isNotResolved}, verdict{Valid: isNotReferred}},
		"one for outgoing":                        {both("one", "outgoing"), rolling, verdict{Valid: isSupported}, verdict{Valid: isNotReferred}},
		"one does not exist":                      {both("one", "gone"), waiting(isNotResolved, "ConfigNotFound"), verdict{Valid: isNotResolved}, verdict{Valid: isNotReferred}},
		"authServerRef wrong, the other embedded": {both("outgoing", "second"), held(isNotResolved, "InvalidAuthServerRef"), verdict{Valid: isNotReferred}, verdict{Valid: isNotResolved}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := cluster.Namespace(t)
			one, second := sample.Config(namespace, "one", "openid"), sample.Config(namespace, "second", "openid")
			server, proxy := sample.Server(namespace, "server", tc.refs), sample.Proxy(namespace, "proxy", tc.refs)
			cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), sample.OutgoingConfig(namespace, "outgoing"), one, second, server, proxy)
			awaitVerdict(t, server, tc.consumer)
			awaitVerdict(t, proxy, tc.consumer)
			awaitVerdict(t, one, tc.one)
			awaitVerdict(t, second, tc.second)
		})
	}
}

func TestVerdictInline(t *testing.T) {
	t.Parallel()
	outright := sample.AuthServer("admin")
	outright.ScopesSupported = []string{"admin"}
	grants := sample.AuthServer("openid")
	grants.DelegateClients = []v1alpha1.OpaqueObject{{Raw: []byte(`{"clientId":"x"}`)}}
	anonymous := v1alpha1.IncomingAuthConfig{Type: v1alpha1.IncomingAuthTypeAnonymous}
	otherAudience := v1alpha1.IncomingAuthConfig{Type: v1alpha1.IncomingAuthTypeOIDC, OIDCConfigRef: sample.OIDCConfigRef()}
	otherAudience.OIDCConfigRef.Audience = "https://other.example.com"
	for name, tc := range map[string]struct {
		config      *v1alpha1.EmbeddedAuthServerConfig
		scopes      []string
		incoming    *v1alpha1.IncomingAuthConfig
		withoutOIDC bool
		want        verdict
	}{
		"no auth server":                              {nil, nil, nil, false, verdict{}},
		"supported by the defaults":                   {sample.AuthServer("openid"), nil, nil, false, rolling},
		"supported by own scopes":                     {sample.AuthServer("admin"), []string{"admin"}, nil, false, rolling},
		"supported by scopesSupported":                {outright, []string{"openid"}, nil, false, rolling},
		"empty baseline":                              {sample.AuthServer(), nil, nil, false, rolling},
		"not supported by the defaults":               {sample.AuthServer("admin"), nil, nil, false, held(isNotSupported, "BaselineScopeNotSupported")},
		"anonymous":                                   {sample.AuthServer("openid"), nil, &anonymous, false, held(isNotResolved, "OIDCConfigRequired")},
		"anonymous, scopesSupported":                  {outright, nil, &anonymous, false, held(isSupported, "OIDCConfigRequired")},
		"MCPOIDCConfig does not exist":                {sample.AuthServer("openid"), nil, nil, true, waiting(isSupported, "OIDCConfigNotFound")},
		"MCPOIDCConfig does not exist, not supported": {sample.AuthServer("admin"), nil, nil, true, held(isNotSupported, "BaselineScopeNotSupported")},
		"audience":                                    {sample.AuthServer("openid"), nil, &otherAudience, false, held(isSupported, "AudienceMismatch")},
		"unsupported field":                           {grants, nil, nil, false, held(isSupported, "UnsupportedField")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := cluster.Namespace(t)
			if !tc.withoutOIDC {
				cluster.Create(t, sample.OIDCConfig(namespace, "oidc"))
			}
			virtual := sample.Virtual(namespace, "virtual", tc.config.DeepCopy(), tc.scopes...)
			if tc.incoming != nil {
				virtual.Spec.IncomingAuth = *tc.incoming
			}
			cluster.Create(t, virtual)
			awaitVerdict(t, virtual, tc.want)
			if tc.want != rolling {
				noChildren(t, virtual)
			}
		})
	}
}

// TestNotConsumers checks that references which run no auth server do not count.
func TestNotConsumers(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid")
	virtual := sample.Virtual(namespace, "virtual", nil)
	virtual.Spec.OutgoingAuth = &v1alpha1.OpaqueObject{Raw: []byte(`{"default":{"type":"externalAuthConfigRef","externalAuthConfigRef":{"name":"shared"}}}`)}
	cluster.Create(t, config, virtual)
	awaitVerdict(t, virtual, verdict{})
	awaitVerdict(t, config, verdict{Valid: isNotReferred})
}
