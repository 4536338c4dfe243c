package guard_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/mistakes"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/test/guard/setup"
)

func TestStartUp(t *testing.T) { setup.CheckStartUp(t, cluster, "../testdata") }

// TestStartUpRatchets stores invalid objects while the policy is off. They must stay
// editable, and valid objects must not become invalid.
func TestStartUpRatchets(t *testing.T) {
	ns := namespace(t, guard.ModeOff)
	cases := mistakes.Cases()
	maps.DeleteFunc(cases, func(_ string, c mistakes.Case) bool { return c.Field == "" || c.Left })
	valid := mistakes.Case{Change: func(*v1alpha1.EmbeddedAuthServerConfig) {}}
	bad, good := map[string]*unstructured.Unstructured{}, map[string]*unstructured.Unstructured{}
	for i, name := range slices.Sorted(maps.Keys(cases)) {
		for kind := range mistakes.Kinds {
			bad[name+kind] = cases[name].Object(kind, ns, fmt.Sprintf("bad-%d", i))
			good[name+kind] = valid.Object(kind, ns, fmt.Sprintf("good-%d", i))
			cluster.Create(t, bad[name+kind], good[name+kind])
		}
	}
	expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, ns, guard.ModeEnforce))
	settle(t)
	for name, c := range cases {
		for kind, path := range mistakes.Kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				for field, edit := range map[string]struct {
					value  any
					accept bool
				}{
					"disableUpstreamTokenInjection": {true, true},
					"baselineClientScopes":          {[]any{"openid"}, true},
					// An old mistake does not excuse another one.
					"authorizationEndpointBaseUrl": {"https://user@login.example.com", name == "authorizationEndpointBaseUrl, user"},
					"cimd":                         {map[string]any{"enabled": true, "cacheFallbackTtl": "0ms"}, false},
				} {
					object := bad[name+kind].DeepCopy()
					expect.NoError(t, unstructured.SetNestedField(object.Object, edit.value, append(strings.Split(path, "."), field)...))
					setup.CheckRefusedAtStart(t, dryUpdate(t, object), object, edit.accept)
				}
				becomes := good[name+kind].DeepCopy()
				becomes.Object["spec"] = c.Object(kind, ns, "").Object["spec"]
				setup.CheckRefusedAtStart(t, dryUpdate(t, becomes), becomes, false)
			})
		}
	}
}

// TestStartUpThatBeginsToCount edits objects whose URLs were allowed, because a flag allows
// http, or because no client needs a token.
func TestStartUpThatBeginsToCount(t *testing.T) {
	ns := namespace(t, guard.ModeEnforce)
	for name, c := range mistakes.Cases() {
		for kind, path := range mistakes.Kinds {
			if !strings.HasSuffix(name, ", insecureAllowHTTP") {
				continue
			}
			object := c.Object(kind, ns, "allowed")
			cluster.Create(t, object)
			unstructured.RemoveNestedField(object.Object, append(strings.Split(path, "."), "insecureAllowHTTP")...)
			setup.CheckRefusedAtStart(t, dryUpdate(t, object), object, false)
			cluster.Delete(t, object)
		}
	}
	allowed := sample.Virtual(ns, "anonymous", sample.AuthServer())
	allowed.Spec.AuthServerConfig.Issuer = "http://auth.example.com"
	allowed.Spec.IncomingAuth = v1alpha1.IncomingAuthConfig{Type: v1alpha1.IncomingAuthTypeAnonymous}
	anonymous := sample.Unstructured(allowed)
	cluster.Create(t, anonymous)
	oidc := sample.Unstructured(sample.Virtual(ns, "anonymous", sample.AuthServer())).Object["spec"].(map[string]any)["incomingAuth"]
	expect.NoError(t, unstructured.SetNestedField(anonymous.Object, oidc, "spec", "incomingAuth"))
	setup.CheckRefusedAtStart(t, dryUpdate(t, anonymous), anonymous, false)
}

// TestStartUpMessages compares the whole text of each rejection.
func TestStartUpMessages(t *testing.T) {
	ns := namespace(t, guard.ModeEnforce)
	cases := mistakes.Cases()
	maps.DeleteFunc(cases, func(_ string, c mistakes.Case) bool { return c.Field == "" || c.Left })
	cases["two"] = mistakes.Case{Change: func(c *v1alpha1.EmbeddedAuthServerConfig) { c.Issuer = "http://user@auth.example.com" }}
	cases["two lifespans"] = mistakes.Case{Change: func(c *v1alpha1.EmbeddedAuthServerConfig) {
		c.TokenLifespans = &v1alpha1.TokenLifespanConfig{AccessTokenLifespan: "1s", AuthCodeLifespan: "1h"}
	}}
	var messages strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		for _, kind := range slices.Sorted(maps.Keys(mistakes.Kinds)) {
			refusal := refusalOf(t, dryCreate(t, cases[name].Object(kind, ns, "login")))
			expect.Equal(t, name, setup.Refusal{Policy: guard.StartUpPolicy, Binding: guard.StartUpPolicy + "-deny", Message: refusal.Message}, refusal)
			fmt.Fprintf(&messages, "%s: %s\n", name, refusal.Message)
		}
	}
	expect.Golden(t, *update, "testdata/start-up.txt", messages.String())
}
