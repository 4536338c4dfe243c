package controller_test

import (
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var notSupported = held(isNotSupported, "BaselineScopeNotSupported")

// TestAnyOrderOfCreation creates the three objects of a pair in all orders.
func TestAnyOrderOfCreation(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			namespace := cluster.Namespace(t)
			config := sample.Config(namespace, "shared", "openid")
			server := sample.Server(namespace, "server", sample.AuthServerRef("shared"))
			objects := []client.Object{config, server, sample.OIDCConfig(namespace, "oidc")}
			for _, i := range order {
				cluster.Create(t, objects[i])
			}
			awaitVerdict(t, server, rolling)
			awaitVerdict(t, config, verdict{Valid: isSupported})
		})
	}
}

// TestEveryDirection changes a verdict by edits of each object that it depends
// on.
func TestEveryDirection(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	oidc := sample.OIDCConfig(namespace, "oidc")
	shared, other := sample.Config(namespace, "shared", "openid"), sample.Config(namespace, "other", "admin")
	server := sample.Server(namespace, "server", sample.AuthServerRef("shared"))
	cluster.Create(t, oidc, shared, other, server)
	both := func(consumer, onShared, onOther string) {
		t.Helper()
		want := map[string]verdict{
			"rolling": rolling, "not supported": notSupported, "none": {},
			"no config": waiting(isNotResolved, "ConfigNotFound"), "no oidc": waiting(isSupported, "OIDCConfigNotFound"),
			"conflict": held(isNotResolved, "AuthServerConflict"), "invalid ref": held(isNotResolved, "InvalidAuthServerRef"),
		}[consumer]
		awaitVerdict(t, server, want)
		if onShared != "" {
			awaitVerdict(t, shared, verdict{Valid: onShared})
		}
		if onOther != "" {
			awaitVerdict(t, other, verdict{Valid: onOther})
		}
	}
	both("rolling", isSupported, isNotReferred)

	t.Log("the config")
	testenv.Edit(t, cluster, shared, func(c *v1beta1.MCPExternalAuthConfig) {
		c.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"openid", "admin"}
	})
	both("not supported", isNotSupported, isNotReferred)
	t.Log("the consumer's scopes")
	testenv.Edit(t, cluster, server, func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef.Scopes = []string{"openid", "admin"} })
	both("rolling", isSupported, isNotReferred)
	t.Log("the MCPOIDCConfig goes and comes")
	cluster.Delete(t, oidc)
	both("no oidc", isSupported, isNotReferred)
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"))
	both("rolling", isSupported, isNotReferred)
	t.Log("the reference moves")
	testenv.Edit(t, cluster, server, func(s *v1beta1.MCPServer) { s.Spec.AuthServerRef.Name = "other"; s.Spec.OIDCConfigRef.Scopes = nil })
	both("not supported", isNotReferred, isNotSupported)
	t.Log("a second reference conflicts")
	testenv.Edit(t, cluster, server, func(s *v1beta1.MCPServer) {
		s.Spec.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: "shared"}
	})
	both("conflict", isNotResolved, isNotResolved)
	t.Log("the first reference goes")
	testenv.Edit(t, cluster, server, func(s *v1beta1.MCPServer) {
		s.Spec.AuthServerRef = nil
		s.Spec.OIDCConfigRef.Scopes = []string{"openid", "admin"}
	})
	both("rolling", isSupported, isNotReferred)
	t.Log("the other config of a conflict changes its type, which settles it")
	testenv.Edit(t, cluster, server, func(s *v1beta1.MCPServer) {
		s.Spec.AuthServerRef = &v1alpha1.AuthServerRef{Kind: "MCPExternalAuthConfig", Name: "other"}
	})
	both("conflict", isNotResolved, isNotResolved)
	testenv.Edit(t, cluster, shared, func(c *v1beta1.MCPExternalAuthConfig) {
		c.Spec = v1alpha1.MCPExternalAuthConfigSpec{Type: "unauthenticated"}
	})
	awaitVerdict(t, shared, verdict{})
	both("rolling", "", isSupported)
	t.Log("the config goes, and comes back under the same name")
	cluster.Delete(t, other)
	both("no config", "", "")
	other = sample.Config(namespace, "other", "nobody")
	cluster.Create(t, other)
	both("not supported", "", isNotSupported)
	t.Log("the consumer goes, and comes back under the same name")
	cluster.Delete(t, server)
	testenv.AwaitGone(t, cluster.Client, server)
	awaitVerdict(t, other, verdict{Valid: isNotReferred})
	server = sample.Server(namespace, "server", sample.AuthServerRef("other", "nobody"))
	cluster.Create(t, server)
	both("rolling", "", isSupported)
	t.Log("the last reference goes")
	testenv.Edit(t, cluster, server, func(s *v1beta1.MCPServer) { s.Spec.AuthServerRef = nil })
	both("none", "", isNotReferred)
}

func TestEveryDirectionInline(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	oidc := sample.OIDCConfig(namespace, "oidc")
	virtual := sample.Virtual(namespace, "virtual", sample.AuthServer("openid"))
	cluster.Create(t, oidc, virtual)
	awaitVerdict(t, virtual, rolling)

	testenv.Edit(t, cluster, virtual, func(v *v1beta1.VirtualMCPServer) { v.Spec.AuthServerConfig.BaselineClientScopes = []string{"admin"} })
	awaitVerdict(t, virtual, notSupported)
	testenv.Edit(t, cluster, virtual, func(v *v1beta1.VirtualMCPServer) { v.Spec.AuthServerConfig.ScopesSupported = []string{"admin"} })
	awaitVerdict(t, virtual, rolling)
	testenv.Edit(t, cluster, virtual, func(v *v1beta1.VirtualMCPServer) {
		v.Spec.AuthServerConfig.ScopesSupported = nil
		v.Spec.IncomingAuth.OIDCConfigRef.Scopes = []string{"admin", "x"}
	})
	awaitVerdict(t, virtual, rolling)
	testenv.Edit(t, cluster, virtual, func(v *v1beta1.VirtualMCPServer) { v.Spec.IncomingAuth.Type = v1alpha1.IncomingAuthTypeAnonymous })
	awaitVerdict(t, virtual, held(isNotResolved, "OIDCConfigRequired"))
	testenv.Edit(t, cluster, virtual, func(v *v1beta1.VirtualMCPServer) { v.Spec.IncomingAuth.Type = v1alpha1.IncomingAuthTypeOIDC })
	awaitVerdict(t, virtual, rolling)
	cluster.Delete(t, oidc)
	awaitVerdict(t, virtual, waiting(isSupported, "OIDCConfigNotFound"))
	testenv.Edit(t, cluster, virtual, func(v *v1beta1.VirtualMCPServer) { v.Spec.AuthServerConfig = nil })
	awaitVerdict(t, virtual, verdict{})
}

// TestMixedConsumersOfOneConfig checks that a shared config reports one team's
// bad consumers, while the others roll out.
func TestMixedConsumersOfOneConfig(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "admin")
	good := sample.Server(namespace, "good", sample.AuthServerRef("shared", "admin"))
	bad := sample.Proxy(namespace, "bad", sample.ExternalAuthConfigRef("shared", "Admin"))
	worse := sample.Server(namespace, "worse", sample.AuthServerRef("shared"))
	lost := sample.Server(namespace, "lost", sample.AuthServerRef("shared"))
	lost.Spec.OIDCConfigRef = nil
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), config, good, bad, worse, lost)
	awaitVerdict(t, good, rolling)
	awaitVerdict(t, bad, notSupported)
	awaitVerdict(t, worse, notSupported)
	awaitVerdict(t, lost, held(isNotResolved, "OIDCConfigRequired"))
	want := `scope "admin" is not supported by the auth server of MCPRemoteProxy "bad", whose effective scopes are "Admin" (from its spec.oidcConfigRef.scopes): ` +
		`add it there, or remove it from baselineClientScopes; did you mean "Admin"?; ` +
		`scope "admin" is not supported by the auth server of MCPServer "worse", whose effective scopes are "openid", "profile", "email", "offline_access" ` +
		`(the auth server's defaults, as its spec.oidcConfigRef.scopes is empty): list every scope that it needs in spec.oidcConfigRef.scopes, or remove it from baselineClientScopes`
	testenv.Await(t, cluster.Client, config, "names both offenders", func(c *v1beta1.MCPExternalAuthConfig) bool {
		return testenv.Valid(c).Message == want
	})
	cluster.Delete(t, bad)
	cluster.Delete(t, worse)
	awaitVerdict(t, config, verdict{Valid: isNotResolved})
	cluster.Delete(t, lost)
	awaitVerdict(t, config, verdict{Valid: isSupported})
}

// TestSameNamesInTwoNamespaces checks that namespaces do not affect each other.
func TestSameNamesInTwoNamespaces(t *testing.T) {
	t.Parallel()
	one, two := cluster.Namespace(t), cluster.Namespace(t)
	servers := map[string]*v1beta1.MCPServer{}
	configs := map[string]*v1beta1.MCPExternalAuthConfig{}
	for namespace, baseline := range map[string]string{one: "openid", two: "admin"} {
		configs[namespace] = sample.Config(namespace, "shared", baseline)
		servers[namespace] = sample.Server(namespace, "server", sample.AuthServerRef("shared"))
		cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), configs[namespace], servers[namespace])
	}
	awaitVerdict(t, servers[one], rolling)
	awaitVerdict(t, servers[two], notSupported)
	awaitVerdict(t, configs[one], verdict{Valid: isSupported})
	awaitVerdict(t, configs[two], verdict{Valid: isNotSupported})
	cluster.Delete(t, configs[one])
	awaitVerdict(t, servers[one], waiting(isNotResolved, "ConfigNotFound"))
	awaitVerdict(t, servers[two], notSupported)
}
