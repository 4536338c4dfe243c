package guard_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/test/guard/setup"
)

func TestStartUp(t *testing.T) { setup.CheckStartUp(t, cluster, "../testdata") }

// TestStartUpRatchets stores invalid objects while the policy is off. They must stay
// editable, and valid objects must not become invalid.
func TestStartUpRatchets(t *testing.T) {
	ns := namespace(t, guard.ModeOff)
	accepts, rejects := setup.StartUpCases(t, "../testdata")
	first := map[string]corpus.Case{}
	for _, c := range accepts {
		if _, ok := first[path.Dir(c.Path)]; !ok {
			first[path.Dir(c.Path)] = c
		}
	}
	create := func(c corpus.Case, name string) *unstructured.Unstructured {
		t.Helper()
		object := corpus.As(c.Object, "v1beta1", ns, name)
		cluster.Create(t, object)
		return object
	}
	bad, good := map[string]*unstructured.Unstructured{}, map[string]*unstructured.Unstructured{}
	for i, c := range rejects {
		bad[c.Path], good[c.Path] = create(c, fmt.Sprintf("bad-%d", i)), create(first[path.Dir(c.Path)], fmt.Sprintf("good-%d", i))
	}
	expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, ns, guard.ModeEnforce))
	settle(t)
	for _, c := range rejects {
		t.Run(c.Path, func(t *testing.T) {
			config := strings.Split(map[string]string{"MCPExternalAuthConfig": "spec.embeddedAuthServer", "VirtualMCPServer": "spec.authServerConfig"}[c.Object.GetKind()], ".")
			for field, edit := range map[string]struct {
				value  any
				accept bool
			}{
				"disableUpstreamTokenInjection": {true, true},
				"baselineClientScopes":          {[]any{"openid"}, true},
				// An old mistake does not excuse another one.
				"authorizationEndpointBaseUrl": {"https://user@login.example.com", path.Base(c.Path) == "reject-user-in-base.yaml"},
				"cimd":                         {map[string]any{"enabled": true, "cacheFallbackTtl": "0ms"}, false},
			} {
				object := bad[c.Path].DeepCopy()
				expect.NoError(t, unstructured.SetNestedField(object.Object, edit.value, append(config, field)...))
				setup.CheckRefusedAtStart(t, dryUpdate(t, object), object, edit.accept)
			}
			becomes := good[c.Path].DeepCopy()
			becomes.Object["spec"] = c.Object.DeepCopy().Object["spec"]
			setup.CheckRefusedAtStart(t, dryUpdate(t, becomes), becomes, false)
		})
	}
}

// TestStartUpMessages compares the whole text of rejections.
func TestStartUpMessages(t *testing.T) {
	ns := namespace(t, guard.ModeEnforce)
	for name, tc := range map[string]struct {
		change func(*v1alpha1.EmbeddedAuthServerConfig)
		want   string
	}{
		"issuer": {func(c *v1alpha1.EmbeddedAuthServerConfig) { c.Issuer = "http://auth.example.com" },
			`MCPExternalAuthConfig "login": issuer is http://auth.example.com: use https, or its auth server refuses to start`},
		"two": {func(c *v1alpha1.EmbeddedAuthServerConfig) {
			c.Issuer = "http://user@auth.example.com"
		}, `MCPExternalAuthConfig "login": issuer is http://user@auth.example.com: use https (and 1 more), or its auth server refuses to start`},
		"lifespan": {func(c *v1alpha1.EmbeddedAuthServerConfig) {
			c.TokenLifespans = &v1alpha1.TokenLifespanConfig{AuthCodeLifespan: "1h"}
		}, `MCPExternalAuthConfig "login": tokenLifespans.authCodeLifespan is 1h: set it from 30s to 10m, or its auth server refuses to start`},
		"redirect": {func(c *v1alpha1.EmbeddedAuthServerConfig) {
			c.UpstreamProviders[0].OIDCConfig.RedirectURI = "/callback"
		}, `MCPExternalAuthConfig "login": redirectUri of upstream provider idp is /callback: write an absolute http or https URI without a fragment, or its auth server refuses to start`},
	} {
		t.Run(name, func(t *testing.T) {
			config := sample.Config(ns, "login")
			tc.change(config.Spec.EmbeddedAuthServer)
			expect.Equal(t, "", deniedBy(guard.StartUpPolicy, tc.want), refusalOf(t, dryCreate(t, config)))
		})
	}
}
