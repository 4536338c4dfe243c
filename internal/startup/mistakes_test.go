package startup_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/startup"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/mistakes"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// TestMistakes checks the field and the message of each mistake, and that the gate holds
// the rollout and says why.
func TestMistakes(t *testing.T) {
	var messages strings.Builder
	cases := mistakes.Cases()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		for _, mistake := range startup.Mistakes(c.Config()) {
			fmt.Fprintf(&messages, "%s: %s\n", name, mistake)
		}
		t.Run(name, func(t *testing.T) {
			found, fields := startup.Mistakes(c.Config()), []string(nil)
			for _, mistake := range found {
				fields = append(fields, mistake.Field)
			}
			var want []string
			if c.Field != "" {
				want = []string{c.Field}
			}
			expect.Equal(t, "fields", want, fields)
			_, hold := rollout.Check(sample.Pair(sample.Virtual("ns", "office", c.Config())), true)
			if (hold == nil) != (c.Field == "") {
				t.Fatalf("the hold is %+v", hold)
			}
			if wanted := "spec.authServerConfig of VirtualMCPServer \"office\": " + c.Field + " "; hold != nil &&
				(hold.Reason != v1alpha1.ReasonInvalidConfig || !hold.Stalled || !strings.HasPrefix(hold.Message, wanted)) {
				t.Errorf("the hold is %+v, want a message that starts with %q", hold, wanted)
			}
		})
	}
	expect.Golden(t, *update, "testdata/mistakes.txt", messages.String())
}

// TestMistakesOfRedis does the same for the storage.
func TestMistakesOfRedis(t *testing.T) {
	for field, change := range map[string]func(*v1alpha1.RedisStorageConfig){
		"": func(*v1alpha1.RedisStorageConfig) {},
		"storage.redis.sentinelConfig.masterName":       func(r *v1alpha1.RedisStorageConfig) { r.SentinelConfig.MasterName = "" },
		"storage.redis.sentinelConfig":                  func(r *v1alpha1.RedisStorageConfig) { r.SentinelConfig.SentinelAddrs = nil },
		"storage.redis.addr":                            func(r *v1alpha1.RedisStorageConfig) { r.SentinelConfig = nil },
		"storage.redis.aclUserConfig.passwordSecretRef": func(r *v1alpha1.RedisStorageConfig) { r.ACLUserConfig.PasswordSecretRef = nil },
		"storage.redis.dialTimeout":                     func(r *v1alpha1.RedisStorageConfig) { r.DialTimeout = "99999999999999h" },
		"storage.redis.readTimeout":                     func(r *v1alpha1.RedisStorageConfig) { r.ReadTimeout = "99999999999999h" },
		"storage.redis.writeTimeout":                    func(r *v1alpha1.RedisStorageConfig) { r.WriteTimeout = "99999999999999h" },
	} {
		t.Run(field, func(t *testing.T) {
			redis := &v1alpha1.RedisStorageConfig{
				SentinelConfig: &v1alpha1.RedisSentinelConfig{MasterName: "main", SentinelAddrs: []string{"sentinel:26379"}},
				ACLUserConfig:  &v1alpha1.RedisACLUserConfig{PasswordSecretRef: &v1alpha1.SecretKeyRef{Name: "redis", Key: "password"}},
			}
			change(redis)
			config := sample.AuthServer()
			config.Storage = &v1alpha1.AuthServerStorageConfig{Type: v1alpha1.AuthServerStorageTypeRedis, Redis: redis}
			got := ""
			for _, mistake := range startup.Mistakes(config) {
				got += mistake.Field
			}
			expect.Equal(t, "field", field, got)
		})
	}
}

// TestMistakesLeaveWhatToolHiveMayDo checks that a config without upstream providers is no
// mistake if ToolHive gets tokens in another way, nor one without a client that registers.
func TestMistakesLeaveWhatToolHiveMayDo(t *testing.T) {
	opaque := v1alpha1.OpaqueObject{Raw: []byte(`{"issuerUrl":"https://a.example.com"}`)}
	config, client := sample.AuthServer(), sample.AuthServer()
	config.UpstreamProviders = nil
	provider := client.UpstreamProviders[0].OIDCConfig
	provider.ClientID = ""
	expect.Equal(t, "mistakes", []int{1, 1}, []int{len(startup.Mistakes(config)), len(startup.Mistakes(client))})
	config.TrustedIssuers, provider.DCRConfig = []v1alpha1.OpaqueObject{opaque}, &opaque
	expect.Equal(t, "mistakes with another source, or a registration", []int{0, 0}, []int{len(startup.Mistakes(config)), len(startup.Mistakes(client))})
}

// TestMistakesOfConsumer covers the resource URL, and the redirect URI of providers that
// set none.
func TestMistakesOfConsumer(t *testing.T) {
	const good, callback = "https://mcp.example.com", "https://mcp.example.com/oauth/callback"
	insecure := func(config *v1alpha1.EmbeddedAuthServerConfig) { config.InsecureAllowHTTP = true }
	oauth2 := func(insecure bool) func(*v1alpha1.EmbeddedAuthServerConfig) {
		return func(config *v1alpha1.EmbeddedAuthServerConfig) {
			config.UpstreamProviders[0] = v1alpha1.UpstreamProviderConfig{
				Type: v1alpha1.UpstreamProviderTypeOAuth2, OAuth2Config: &v1alpha1.OAuth2UpstreamConfig{InsecureAllowHTTP: insecure},
			}
		}
	}
	for name, tc := range map[string]struct {
		resourceURL, redirectURI string
		change                   func(*v1alpha1.EmbeddedAuthServerConfig)
		want                     []string
	}{
		"https":                  {good, callback, nil, nil},
		"http":                   {"http://mcp.example.com", callback, nil, nil},
		"no URL":                 {"://", callback, nil, []string{"the resource URL"}},
		"no host":                {"https:///mcp", callback, nil, []string{"the resource URL"}},
		"a fragment":             {good + "#a", callback, nil, []string{"the resource URL"}},
		"another scheme":         {"ftp://mcp.example.com", callback, nil, []string{"the resource URL"}},
		"http callback":          {good, "http://mcp.example.com/", nil, []string{"upstreamProviders[0].oidcConfig.redirectUri"}},
		"http callback, allowed": {good, "http://mcp.example.com/", insecure, nil},
		"a callback of its own":  {good, "http://mcp.example.com/", func(c *v1alpha1.EmbeddedAuthServerConfig) { c.UpstreamProviders[0].OIDCConfig.RedirectURI = callback }, nil},
		"OAuth 2.0":              {good, "http://mcp.example.com/", oauth2(false), []string{"upstreamProviders[0].oauth2Config.redirectUri"}},
		"OAuth 2.0, allowed":     {good, "http://mcp.example.com/", oauth2(true), nil},
		"OAuth 2.0, its own address": {good, "http://mcp.example.com/", func(c *v1alpha1.EmbeddedAuthServerConfig) {
			oauth2(false)(c)
			c.UpstreamProviders[0].OAuth2Config.RedirectURI = callback
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			config := sample.AuthServer()
			if tc.change != nil {
				tc.change(config)
			}
			var fields []string
			for _, mistake := range startup.MistakesOfConsumer(config, tc.resourceURL, tc.redirectURI) {
				fields = append(fields, mistake.Field)
			}
			expect.Equal(t, "fields", tc.want, fields)
		})
	}
}
