package guard_test

import (
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// TestShipped installs the files that users get, as users do, on a cluster that lacks one
// of ToolHive's CRDs. Nobody may be locked out, and the other policies must be effective.
func TestShipped(t *testing.T) {
	all, err := setup.LikeToolHive()
	expect.NoError(t, err)
	lacking := testenv.StartForTest(t, controlplane.Options{CRDs: slices.DeleteFunc(all, func(crd *apiextensionsv1.CustomResourceDefinition) bool {
		return crd.Spec.Names.Kind == "MCPRemoteProxy"
	})})
	ctx, c := t.Context(), lacking.Client
	// kubectl must not warn of a policy or a binding either.
	if _, stderr, err := lacking.Kubectl(ctx, nil, "apply", "--server-side", "--validate=strict", "-k", "../../config/guard/policies"); err != nil || stderr != "" {
		t.Fatalf("kubectl: %v\n%s", err, stderr)
	}
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
}
