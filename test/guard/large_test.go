package guard_test

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/sample"
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
