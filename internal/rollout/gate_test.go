package rollout_test

import (
	"fmt"
	"reflect"
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

// TestHolds covers the reasons to hold a rollout and their order. Package fixtures has a row
// for each reason, and internal/startup and TestEachField cover the values of a config.
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
		"audience with a slash":                {server(func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef.Audience = "https://mcp.example.com/" }), config(nil), false, "AudienceMismatch", false, `"https://mcp.example.com"`},
		"what only a user can fix comes first": {server(func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef.Audience = "x" }), config(nil), true, "AudienceMismatch", false, ""},
		"redirect to http": {server(func(s *v1beta1.MCPServer) {
			s.Spec.OIDCConfigRef.ResourceURL, s.Spec.OIDCConfigRef.Audience = "http://mcp.example.com", "http://mcp.example.com"
		}), config(nil), false, "InvalidConfig", false, "redirectUri"},
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

// eachField fills each empty field of a struct, at any depth, and calls try while it is set.
func eachField(value reflect.Value, path string, try func(path string)) {
	for i := range value.NumField() {
		field, at := value.Field(i), path+"."+value.Type().Field(i).Name
		switch {
		case field.IsZero():
			sample.Fill(field)
			try(at)
			field.SetZero()
		case field.Kind() == reflect.Struct:
			eachField(field, at, try)
		case field.Kind() == reflect.Pointer:
			eachField(field.Elem(), at, try)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			for j := range field.Len() {
				eachField(field.Index(j), fmt.Sprintf("%s[%d]", at, j), try)
			}
		}
	}
}

// TestEachField sets each field of a VirtualMCPServer and of its config alone, and compares
// whether the rollout is held then, and why. A field that is new must be rendered, or hold it.
func TestEachField(t *testing.T) {
	config := sample.AuthServer("openid")
	config.Storage = &v1alpha1.AuthServerStorageConfig{Type: v1alpha1.AuthServerStorageTypeMemory}
	config.UpstreamProviders = append(config.UpstreamProviders, v1alpha1.UpstreamProviderConfig{
		Name: "other", Type: v1alpha1.UpstreamProviderTypeOAuth2, OAuth2Config: &v1alpha1.OAuth2UpstreamConfig{
			AuthorizationEndpoint: "https://idp.example.com/authorize", TokenEndpoint: "https://idp.example.com/token", ClientID: "scopegate",
		},
	})
	server := sample.Virtual(namespace, "office", config, "openid")
	var lines strings.Builder
	try := func(what string) {
		if _, hold := rollout.Check(sample.Pair(server), true); hold != nil {
			fmt.Fprintf(&lines, "%s: %s (stalled: %t): %s\n", what, hold.Reason, hold.Stalled, hold.Message)
			return
		}
		fmt.Fprintf(&lines, "%s: rolled out\n", what)
	}
	try("spec")
	eachField(reflect.ValueOf(&server.Spec).Elem(), "spec", try)
	server.Spec.AuthServerUpstreamFilter = &v1alpha1.OpaqueObject{}
	try("an empty filter, as ToolHive's CRDs set it")
	config.DelegateClients, config.UpstreamProviders[0].OIDCConfig.DCRConfig = []v1alpha1.OpaqueObject{{Raw: []byte(`{"a":1}`)}}, &v1alpha1.OpaqueObject{}
	try("two fields")
	expect.Golden(t, *rollout.Update, "testdata/fields.txt", lines.String())
}
