package equivalence

import (
	"testing"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/rollout"
)

// TestExamplesRunConfig compares the run configs of ToolHive's examples that have
// an embedded auth server, with a consumer where the example has none.
func TestExamplesRunConfig(t *testing.T) {
	byKind, seen, compared := admissions(t), tally{}, 0
	for _, example := range release.Find(t, release.Compiled).Examples(t) {
		spec, _ := example.Object["spec"].(object)
		if spec["embeddedAuthServer"] == nil && spec["authServerConfig"] == nil {
			seen["without an embedded auth server"]++
			continue
		}
		config, consumer := example.Object, object{
			"apiVersion": example.GetAPIVersion(), "kind": "MCPServer",
			"metadata": object{"name": "web", "namespace": example.GetNamespace()},
			"spec": object{
				"image": "example.com/mcp:1", "authServerRef": object{"kind": "MCPExternalAuthConfig", "name": example.GetName()},
				"oidcConfigRef": object{"name": "oidc", "audience": "https://mcp.example.com", "resourceUrl": "https://mcp.example.com", "scopes": []any{"openid", "mcp:read"}},
			},
		}
		if example.GetKind() == "VirtualMCPServer" {
			config, consumer = nil, example.Object
		}
		for _, each := range []object{config, consumer} {
			if each == nil {
				continue
			}
			if errs := byKind[each["kind"].(string)].create(each); len(errs) > 0 {
				t.Fatalf("%s: %v", example, errs.ToAggregate())
			}
		}
		pair := resolvePair(t, consumer, config)
		checked, hold := rollout.Check(pair.Pair, true)
		if hold != nil {
			t.Logf("%s is held: %s: %s", example, hold.Reason, hold.Message)
			seen["held "+hold.Reason]++
			continue
		}
		if diff := compareRunConfig(t, pair, checked.RunConfig()); diff != "" {
			t.Errorf("%s (-ToolHive +scopegate):\n%s", example, diff)
		}
		compared++
	}
	t.Logf("run configs of examples: %d compared (%v)", compared, seen)
	if compared == 0 {
		t.Error("not one run config was compared")
	}
}
