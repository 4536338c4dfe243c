package controller_test

import (
	"net/http"
	"path"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var notSupported = held(isNotSupported, "BaselineScopeNotSupported")

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

// TestAWrongStatusHeals writes a wrong status, as a reconcile with a stale lookup may
// do. The event of that write makes the manager repair it.
func TestAWrongStatusHeals(t *testing.T) {
	t.Parallel()
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), config, server)
	for object, want := range map[kinds.Object]verdict{config: {Valid: isSupported}, server: rolling} {
		right := awaitVerdict(t, object, want)
		wrong := right.DeepCopyObject().(kinds.Object)
		wrong.GetStatus().ObservedGeneration = 0
		wrong.GetStatus().Conditions[0].Reason = "Stale"
		expect.NoError(t, cluster.Client.Status().Patch(t.Context(), wrong, client.MergeFrom(right)))
		awaitVerdict(t, object, want)
	}
}

// TestEveryKindIsWatchedFromTheStart starts the cache of a manager without its
// controllers, as in a manager that is not the leader. The cache must have
// everything that the controllers will read.
func TestEveryKindIsWatchedFromTheStart(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	missing := sets.New("mcpexternalauthconfigs", "mcpservers", "mcpremoteproxies", "virtualmcpservers", "mcpoidcconfigs", "deployments", "services")
	cfg := cluster.ManagerConfig()
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return promhttp.RoundTripperFunc(func(request *http.Request) (*http.Response, error) {
			mu.Lock()
			missing.Delete(path.Base(request.URL.Path))
			mu.Unlock()
			return next.RoundTrip(request)
		})
	})
	mgr, err := operator.New(t.Context(), cfg, operator.Options{Standalone: true, MetricsBindAddress: "0", SharedProcess: true})
	expect.NoError(t, err)
	go func() { _ = mgr.GetCache().Start(t.Context()) }()
	mgr.GetCache().WaitForCacheSync(t.Context())
	mu.Lock()
	defer mu.Unlock()
	expect.Equal(t, "what is not watched", []string{}, sets.List(missing))
}
