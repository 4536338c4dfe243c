package guard_test

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// TestLargest gives the policies lists that are about as long as an object can hold,
// because ToolHive's CRDs do not bound them. The evaluation must not exceed the cost
// limit.
func TestLargest(t *testing.T) {
	advertised, missing := sample.Many("advertised", 50_000), sample.Many("missing", 10)
	config, bad := sample.Config("", "good", "advertised-0000"), sample.Config("", "bad", missing...)
	server, proxy := sample.Server("", "large", sample.AuthServerRef("good", advertised...)), sample.Proxy("", "large", sample.AuthServerRef("good", advertised...))
	virtual := sample.Virtual("", "large", sample.AuthServer(missing...), append(advertised, missing...)...)
	stored(t, guard.ModeStrict, config, bad, server, proxy, virtual)
	for policy, edit := range map[string]client.Object{
		// The API server may report the finding of either policy on configs.
		"scopegate-configs-for-": edited(config, baseline(missing...)),
		guard.ConsumersPolicy:    edited(server, func(s *v1beta1.MCPServer) { s.Spec.AuthServerRef.Name = "bad" }),
		guard.VirtualMCPServersPolicy: edited(virtual, func(v *v1beta1.VirtualMCPServer) {
			v.Spec.IncomingAuth.OIDCConfigRef.Scopes = advertised
		}),
	} {
		t.Run(policy, func(t *testing.T) {
			refusal := refusalOf(t, dryUpdate(t, edit))
			if want := fmt.Sprintf(`"large" does not support scope %q: add it to `, missing[0]); !strings.HasPrefix(refusal.Policy, policy) || !strings.Contains(refusal.Message, want) {
				t.Errorf("got %+v, want %s to say %s", refusal, policy, want)
			}
		})
	}
}

// TestManyWarnings edits a config of 30 consumers. The API server shortens the warnings
// of a request when there are many, and drops equal ones: what is left must still name
// the consumers.
func TestManyWarnings(t *testing.T) {
	config := sample.Config("", "shared", "openid")
	objects := []client.Object{config}
	names := sample.Many("web", 30)
	for _, name := range names {
		objects = append(objects, sample.Server("", name, sample.AuthServerRef("shared", "openid")))
	}
	stored(t, guard.ModeWarn, objects...)
	ctx, warnings := setup.WithWarnings(t.Context())
	config.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"admin"}
	if err := setup.Client(t, cluster).Update(ctx, config, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	consumers := map[string]bool{}
	for _, text := range warnings.Texts {
		warning, _ := setup.AsWarning(text)
		var name string
		if _, err := fmt.Sscanf(warning.Message, `MCPServer %q does not support scope "admin"`, &name); err != nil {
			t.Errorf("the warning does not start with its consumer: %s", text)
		}
		consumers[name] = true
	}
	if len(consumers) < 16 {
		t.Errorf("the warnings name %d of 30 consumers, want at least 16: %q", len(consumers), warnings.Texts)
	}
}
