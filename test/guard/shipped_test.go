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

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/policies"
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
	kubectl(t, lacking, "apply", "--validate=strict", "-f", files)
	ns, err := setup.Namespace(ctx, c, guard.ModeDeny)
	expect.NoError(t, err)
	config, server := testenv.Config(ns, "shared", "openid"), testenv.Server(ns, "web", testenv.AuthServerRef("shared", "openid"))
	for _, object := range []client.Object{config, server} {
		if err := c.Create(ctx, object); err != nil {
			t.Fatalf("%s is locked out: %v", object.GetName(), err)
		}
	}
	bad := config.DeepCopy()
	bad.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"admin"}
	if err := setup.AwaitRefusal(ctx, "scopegate-configs-for-mcpservers", func() error { return c.Update(ctx, bad.DeepCopy(), client.DryRunAll) }); err != nil {
		t.Error(err)
	}
	good := config.DeepCopy()
	good.Spec.EmbeddedAuthServer.Issuer = "https://other.example.com"
	if err := c.Update(ctx, good, client.DryRunAll); err != nil {
		t.Errorf("a valid edit is locked out: %v", err)
	}

	denyByDefault(t, lacking)

	if *long {
		if _, err := envtest.InstallCRDs(lacking.Config, envtest.CRDInstallOptions{MaxTime: time.Minute, CRDs: []*apiextensionsv1.CustomResourceDefinition{missing}}); err != nil {
			t.Fatal(err)
		}
		if err := setup.Settle(ctx, c); err != nil {
			t.Errorf("after the CRD is installed: %v", err)
		}
	}

	kubectl(t, lacking, "delete", "-f", files)
	expect.Eventually(t, "the deleted policies refuse nothing", func(ctx context.Context) (bool, error) {
		return c.Update(ctx, bad.DeepCopy(), client.DryRunAll) == nil, nil
	})
}

// denyByDefault changes the default of every policy from warn to deny, by its
// one setting, and waits until a namespace without a mode denies.
func denyByDefault(t *testing.T, cluster *testenv.Cluster) {
	t.Helper()
	for _, name := range guard.ValidatingPolicies {
		if _, stderr, err := cluster.Kubectl(t.Context(), nil, "patch", "validatingadmissionpolicybinding", name+"-default", "--type=merge", "-p", `{"spec":{"validationActions":["Deny"]}}`); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
	}
	ns, err := setup.Namespace(t.Context(), cluster.Client, "")
	expect.NoError(t, err)
	err = setup.AwaitRefusal(t.Context(), "scopegate-virtualmcpservers", func() error {
		return cluster.Client.Create(t.Context(), testenv.Virtual(ns, "v", testenv.AuthServer("admin"), "openid"), client.DryRunAll)
	})
	if err != nil {
		t.Errorf("in a namespace without a mode: %v", err)
	}
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
	all := policies.Load()
	want := 0
	for _, policy := range all.Validating {
		want += len(all.Objects(policy.Name))
	}
	if lines := strings.Count(stdout, "\n"); lines != want {
		t.Errorf("kubectl %v reports %d objects, want %d:\n%s", arguments, lines, want, stdout)
	}
}
