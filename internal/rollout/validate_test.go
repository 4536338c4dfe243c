package rollout

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// TestValidate checks which field the error names. compat/equivalence checks that
// validate agrees with ToolHive itself; these are the cases that it found.
func TestValidate(t *testing.T) {
	const resourceURL = "https://mcp.example.com"
	redis := func(change func(*v1alpha1.RedisStorageConfig)) func(*v1alpha1.EmbeddedAuthServerConfig) {
		return func(config *v1alpha1.EmbeddedAuthServerConfig) {
			storage := &v1alpha1.RedisStorageConfig{
				SentinelConfig: &v1alpha1.RedisSentinelConfig{MasterName: "main", SentinelAddrs: []string{"sentinel:26379"}},
				ACLUserConfig:  &v1alpha1.RedisACLUserConfig{PasswordSecretRef: &v1alpha1.SecretKeyRef{Name: "redis", Key: "password"}},
			}
			change(storage)
			config.Storage = &v1alpha1.AuthServerStorageConfig{Type: v1alpha1.AuthServerStorageTypeRedis, Redis: storage}
		}
	}
	redirect := func(uri string) func(*v1alpha1.EmbeddedAuthServerConfig) {
		return func(config *v1alpha1.EmbeddedAuthServerConfig) {
			config.UpstreamProviders[0].OIDCConfig.RedirectURI = uri
		}
	}
	cases := map[string]struct {
		change func(*v1alpha1.EmbeddedAuthServerConfig)
		// want is the prefix of the error, empty for none.
		want string
	}{
		"complete":           {func(*v1alpha1.EmbeddedAuthServerConfig) {}, ""},
		"Redis is complete":  {redis(func(*v1alpha1.RedisStorageConfig) {}), ""},
		"no Sentinel master": {redis(func(r *v1alpha1.RedisStorageConfig) { r.SentinelConfig.MasterName = "" }), "storage.redis.sentinelConfig.masterName is empty"},
		"timeout that overflows": {
			redis(func(r *v1alpha1.RedisStorageConfig) { r.ReadTimeout = "99999999999999h" }), "storage.redis.readTimeout is not a duration",
		},
		"redirect to a loopback host":                  {redirect("http://127.0.0.2:8080/callback"), ""},
		"redirect to a name below localhost":           {redirect("http://app.localhost/callback"), ""},
		"redirect to localhost in capitals":            {redirect("http://LOCALHOST/callback"), "upstreamProviders[idp].oidcConfig.redirectUri"},
		"redirect over http":                           {redirect("http://mcp.example.com/callback"), "upstreamProviders[idp].oidcConfig.redirectUri"},
		"issuer on any loopback address":               {func(c *v1alpha1.EmbeddedAuthServerConfig) { c.Issuer = "http://127.0.0.2:8080" }, ""},
		"issuer over http":                             {func(c *v1alpha1.EmbeddedAuthServerConfig) { c.Issuer = "http://auth.example.com" }, "issuer is"},
		"secret for a client on some loopback address": {forceConfidential("https://127.0.0.2/callback"), "forceConfidentialRedirectUris has"},
		"secret for a client elsewhere":                {forceConfidential("https://app.example.com/callback"), ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			config := &v1alpha1.EmbeddedAuthServerConfig{
				Issuer: "https://auth.example.com",
				UpstreamProviders: []v1alpha1.UpstreamProviderConfig{{
					Name: "idp", Type: v1alpha1.UpstreamProviderTypeOIDC,
					OIDCConfig: &v1alpha1.OIDCUpstreamConfig{IssuerURL: "https://idp.example.com", ClientID: "scopegate"},
				}},
			}
			test.change(config)
			err := validate(config, resourceURL)
			if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func forceConfidential(uri string) func(*v1alpha1.EmbeddedAuthServerConfig) {
	return func(config *v1alpha1.EmbeddedAuthServerConfig) {
		config.AllowConfidentialClientRegistration, config.ForceConfidentialRedirectURIs = true, []string{uri}
	}
}
