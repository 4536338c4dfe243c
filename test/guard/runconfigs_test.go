package guard_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// runConfigs return a run config as ToolHive's operator writes it, by the kind
// of its owner. Their auth servers support openid and mcp:read.
var runConfigs = map[string]func(namespace, server string, baseline ...string) *corev1.ConfigMap{
	"MCPServer": setup.RunConfig, "VirtualMCPServer": setup.AuthServerConfig,
}

func holding(t *testing.T) string {
	t.Helper()
	if can, err := setup.CanHold(cluster.Client); err != nil || !can {
		t.Skipf("this API server has no MutatingAdmissionPolicy (%v)", err)
	}
	ns := namespace(t, guard.ModeDeny)
	awaitHold(t, ns, true)
	return ns
}

// awaitHold waits until an update is held by dry run, or is not.
func awaitHold(t *testing.T, namespace string, held bool) {
	t.Helper()
	if err := cluster.Client.Create(t.Context(), setup.RunConfig(namespace, "canary", "openid")); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	expect.Eventually(t, fmt.Sprintf("an update is held: %t", held), func(ctx context.Context) (bool, error) {
		bad := setup.RunConfig(namespace, "canary", "admin")
		err := cluster.Client.Update(ctx, bad, client.DryRunAll)
		return isHeld(bad) == held, err
	})
}

func isHeld(configMap *corev1.ConfigMap) bool { return configMap.Labels[guard.HeldLabel] == "true" }

// put updates a ConfigMap as ToolHive's operator does, which replaces everything.
func put(t *testing.T, configMap *corev1.ConfigMap) *corev1.ConfigMap {
	t.Helper()
	expect.NoError(t, cluster.Client.Update(t.Context(), configMap))
	return configMap
}

// TestRunConfigsAreRejected creates run configs in namespaces of every mode.
func TestRunConfigsAreRejected(t *testing.T) {
	for mode, denies := range map[string]bool{"": false, guard.ModeOff: false, guard.ModeWarn: false, guard.ModeDeny: true} {
		ns := namespace(t, mode)
		for kind, runConfig := range runConfigs {
			t.Run(kind+"/"+mode, func(t *testing.T) {
				c, warnings := setup.Client(t, cluster)
				good, bad := runConfig(ns, "web", "openid"), runConfig(ns, "web", "openid", "admin", "root")
				if err := c.Create(t.Context(), good, client.DryRunAll); err != nil {
					t.Error(err)
				}
				want := setup.Refusal{}
				if denies {
					want = deniedBy(guard.RunConfigsPolicy, `scope "admin" (and 1 more) of baseline_client_scopes in ConfigMap "`+bad.Name+`" is not supported by the auth server of `+
						kind+` "web": add it to the scopes of its oidcConfigRef, or remove it from baselineClientScopes`)
				}
				expect.Equal(t, "", want, refusalOf(t, c.Create(t.Context(), bad, client.DryRunAll)))
				if len(warnings.Texts) > 0 {
					t.Errorf("warnings, which nobody reads: %q", warnings.Texts)
				}
			})
		}
	}
}

// TestRunConfigsOfOthers creates ConfigMaps that do not concern the policy, or that
// have no name or owner.
func TestRunConfigsOfOthers(t *testing.T) {
	ns := namespace(t, guard.ModeDeny)
	bad := func(change func(*corev1.ConfigMap)) *corev1.ConfigMap {
		return edited(setup.RunConfig(ns, "web", "admin"), change)
	}
	for name, tc := range map[string]struct {
		object  *corev1.ConfigMap
		refused bool
	}{
		"no label":          {bad(func(c *corev1.ConfigMap) { c.Labels = nil }), false},
		"another label":     {bad(func(c *corev1.ConfigMap) { c.Labels[toolhive.ComponentLabel] = "other" }), false},
		"another key":       {bad(func(c *corev1.ConfigMap) { c.Data = map[string]string{"other": c.Data[toolhive.RunConfigKey]} }), false},
		"no data":           {bad(func(c *corev1.ConfigMap) { c.Data = nil }), false},
		"the label of vMCP": {bad(func(c *corev1.ConfigMap) { c.Labels[toolhive.ComponentLabel] = toolhive.ComponentVMCP }), true},
		"no owner":          {bad(func(c *corev1.ConfigMap) { c.OwnerReferences = nil }), true},
		"no controller":     {bad(func(c *corev1.ConfigMap) { c.OwnerReferences[0].Controller = nil }), true},
		"a generated name":  {bad(func(c *corev1.ConfigMap) { c.Name, c.GenerateName = "", "web-" }), true},
		"both texts, one bad": {bad(func(c *corev1.ConfigMap) {
			c.Data[toolhive.AuthServerConfigKey] = setup.AuthServerConfig(ns, "web", "openid").Data[toolhive.AuthServerConfigKey]
		}), true},
	} {
		t.Run(name, func(t *testing.T) {
			if refusal := refusalOf(t, dryCreate(t, tc.object)); (refusal != setup.Refusal{}) != tc.refused {
				t.Errorf("refused: %+v, want %t", refusal, tc.refused)
			}
		})
	}
}

// TestHold edits a ConfigMap as ToolHive's operator does: from good to bad, to bad
// again, to another bad one, and back to good.
func TestHold(t *testing.T) {
	ns := holding(t)
	for kind, runConfig := range runConfigs {
		t.Run(kind, func(t *testing.T) {
			good := runConfig(ns, "web", "openid")
			cluster.Create(t, good)
			held := put(t, runConfig(ns, "web", "admin"))
			want := edited(good, func(c *corev1.ConfigMap) { c.Labels[guard.HeldLabel] = "true" })
			want.ResourceVersion, want.ManagedFields = held.ResourceVersion, held.ManagedFields
			expect.Equal(t, "held", want, held)
			if again := put(t, runConfig(ns, "web", "admin")); again.ResourceVersion != held.ResourceVersion {
				t.Errorf("the second time something is stored: resourceVersion %s, then %s", held.ResourceVersion, again.ResourceVersion)
			}
			other := put(t, edited(runConfig(ns, "web", "root"), func(c *corev1.ConfigMap) {
				c.Data["added"], c.Annotations["added"] = "x", "x"
			}))
			if cmp.Diff(held.Data, other.Data) != "" || cmp.Diff(held.Annotations, other.Annotations) != "" {
				t.Errorf("another bad one is stored: %+v", other)
			}
			next := runConfig(ns, "web", "mcp:read")
			repaired := put(t, next.DeepCopy())
			if isHeld(repaired) || cmp.Diff(next.Data, repaired.Data) != "" || cmp.Diff(next.Annotations, repaired.Annotations) != "" {
				t.Errorf("not repaired: %+v", repaired)
			}
		})
	}
}

// TestHoldIsForWhatWasGood writes bad run configs over texts that are bad, or
// that the policy can't read.
func TestHoldIsForWhatWasGood(t *testing.T) {
	for kind, runConfig := range runConfigs {
		t.Run(kind, func(t *testing.T) {
			ns := holding(t)
			expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, ns, guard.ModeOff))
			settle(t)
			bad, unread := runConfig(ns, "bad", "admin"), runConfig(ns, "unread", "openid")
			for key := range unread.Data {
				unread.Data[key] = map[string]string{
					toolhive.RunConfigKey:        "{\n  \"embedded_auth_server_config\": {\n    \"scopes_supported\": [\"x\"]\n  }\n}",
					toolhive.AuthServerConfigKey: "scopes_supported: [x]\n",
				}[key]
			}
			marked := edited(runConfig(ns, "marked", "admin"), func(c *corev1.ConfigMap) { c.Labels[guard.HeldLabel] = "true" })
			cluster.Create(t, bad, unread, marked)
			expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, ns, guard.ModeDeny))
			awaitHold(t, ns, true)
			for _, name := range []string{"bad", "unread"} {
				written := runConfig(ns, name, "root")
				if got := put(t, written.DeepCopy()); isHeld(got) || cmp.Diff(written.Data, got.Data) != "" {
					t.Errorf("%s: it is held: %+v", name, got)
				}
			}
			// The label must go as well.
			if got := put(t, edited(runConfig(ns, "marked", "root"), func(c *corev1.ConfigMap) { c.Labels[guard.HeldLabel] = "true" })); isHeld(got) {
				t.Errorf("it still has the label: %+v", got)
			}
		})
	}
}

// TestHoldPatches holds objects that lack the fields that the hold patches.
func TestHoldPatches(t *testing.T) {
	ns := holding(t)
	nothing := func(*corev1.ConfigMap) {}
	for kind, runConfig := range runConfigs {
		for name, tc := range map[string]struct{ before, after func(*corev1.ConfigMap) }{
			"no data before":        {func(c *corev1.ConfigMap) { c.Data = nil }, nothing},
			"no annotations before": {func(c *corev1.ConfigMap) { c.Annotations = nil }, nothing},
			"no labels before":      {func(c *corev1.ConfigMap) { c.Labels = nil }, nothing},
			"no annotations after":  {nothing, func(c *corev1.ConfigMap) { c.Annotations = nil }},
			"no labels after":       {nothing, func(c *corev1.ConfigMap) { c.Labels = nil }},
			"nothing before":        {func(c *corev1.ConfigMap) { c.Data, c.Annotations, c.Labels = nil, nil, nil }, nothing},
			"nothing after but data": {nothing, func(c *corev1.ConfigMap) {
				c.Annotations, c.Labels = nil, nil
			}},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				server := "patched"
				before, after := edited(runConfig(ns, server, "openid"), tc.before), edited(runConfig(ns, server, "admin"), tc.after)
				cluster.Create(t, before)
				t.Cleanup(func() {
					if err := cluster.Client.Delete(context.WithoutCancel(t.Context()), before); err != nil {
						t.Error(err)
					}
				})
				got := put(t, after)
				if !isHeld(got) || cmp.Diff(before.Data, got.Data) != "" || cmp.Diff(before.Annotations, got.Annotations) != "" {
					t.Errorf("not held as it was: %+v", got)
				}
			})
		}
	}
}

// TestHoldMode checks that an update passes in a namespace that does not deny.
func TestHoldMode(t *testing.T) {
	ns := holding(t)
	for _, mode := range []string{guard.ModeWarn, guard.ModeOff, "other"} {
		expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, ns, mode))
		awaitHold(t, ns, false)
		expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, ns, guard.ModeDeny))
		awaitHold(t, ns, true)
	}
}
