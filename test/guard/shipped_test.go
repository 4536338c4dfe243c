package guard_test

import (
	"context"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

var long = flag.Bool("long", false, "also wait until the policies follow a CRD that is installed late")

// TestShipped installs the files that users get, as users do, on a cluster that lacks one
// of ToolHive's CRDs. Nobody may be locked out, and the other policies must be effective.
// After the files are deleted, no policy may be effective. With -long it also waits until
// the policy that lacked its kind is effective, about half a minute after the CRD is
// installed.
func TestShipped(t *testing.T) {
	all, err := setup.LikeToolHive()
	expect.NoError(t, err)
	isProxies := func(crd *apiextensionsv1.CustomResourceDefinition) bool {
		return crd.Spec.Names.Kind == "MCPRemoteProxy"
	}
	missing := all[slices.IndexFunc(all, isProxies)].DeepCopy()
	lacking := testenv.StartForTest(t, controlplane.Options{CRDs: slices.DeleteFunc(all, isProxies)})
	ctx, c := t.Context(), lacking.Client
	kubectl(t, lacking, "apply", "--server-side", "--validate=strict", "-k", files)
	ns, err := setup.Namespace(ctx, c, guard.ModeStrict)
	expect.NoError(t, err)
	config, server := sample.Config(ns, "shared", "openid"), sample.Server(ns, "web", sample.AuthServerRef("shared", "openid"))
	for _, object := range []client.Object{config, server} {
		if err := c.Create(ctx, object); err != nil {
			t.Fatalf("%s is locked out: %v", object.GetName(), err)
		}
	}
	bad := config.DeepCopy()
	bad.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"admin"}
	if err := setup.AwaitRefusal(ctx, guard.ConfigsForMCPServersPolicy, func() error { return c.Update(ctx, bad.DeepCopy(), client.DryRunAll) }); err != nil {
		t.Error(err)
	}
	good := config.DeepCopy()
	good.Spec.EmbeddedAuthServer.Issuer = "https://other.example.com"
	if err := c.Update(ctx, good, client.DryRunAll); err != nil {
		t.Errorf("a valid edit is locked out: %v", err)
	}

	if *long {
		if _, err := envtest.InstallCRDs(lacking.Config, envtest.CRDInstallOptions{MaxTime: time.Minute, CRDs: []*apiextensionsv1.CustomResourceDefinition{missing}}); err != nil {
			t.Fatal(err)
		}
		if err := setup.Settle(ctx, c); err != nil {
			t.Errorf("after the CRD is installed: %v", err)
		}
	}

	kubectl(t, lacking, "delete", "-k", files)
	expect.Eventually(t, "the deleted policies refuse nothing", func(ctx context.Context) (bool, error) {
		return c.Update(ctx, bad.DeepCopy(), client.DryRunAll) == nil, nil
	})
}

const files = "../../config/guard/policies"

// kubectl runs kubectl, which must neither fail nor warn, on every policy and
// binding.
func kubectl(t *testing.T, cluster *testenv.Cluster, arguments ...string) {
	t.Helper()
	stdout, stderr, err := cluster.Kubectl(t.Context(), nil, arguments...)
	if err != nil || stderr != "" {
		t.Fatalf("kubectl %v: %v\n%s", arguments, err, stderr)
	}
	policies, err := guard.Policies(guard.ModeWarn, nil)
	expect.NoError(t, err)
	want := 0
	for _, policy := range policies {
		if policy.Name != guard.StartUpPolicy {
			want += 1 + len(policy.Bindings)
		}
	}
	if lines := strings.Count(stdout, "\n"); lines != want {
		t.Errorf("kubectl %v reports %d objects, want %d:\n%s", arguments, lines, want, stdout)
	}
}
