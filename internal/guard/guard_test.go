package guard_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestPoliciesOfEachMode has the namespaces that each binding must select: by the values
// of the label, and whether also without it.
func TestPoliciesOfEachMode(t *testing.T) {
	type selectors struct{ oneObjectWarn, oneObjectDeny, severalWarn, severalDeny, podsDeny string }
	for mode, want := range map[string]selectors{
		guard.ModeWarn:    {"NotIn off enforce strict", "In enforce strict", "NotIn off strict", "In strict", "In enforce strict"},
		guard.ModeEnforce: {"In warn", "NotIn off warn", "NotIn off strict", "In strict", "NotIn off warn"},
		guard.ModeStrict:  {"In warn", "NotIn off warn", "In warn enforce", "NotIn off warn enforce", "NotIn off warn"},
	} {
		t.Run(mode, func(t *testing.T) {
			policies, err := guard.Policies(mode, nil)
			expect.NoError(t, err)
			got, names := map[string]string{}, []string{}
			for _, policy := range policies {
				names = append(names, policy.Name)
				for _, binding := range policy.Bindings {
					expressions := binding.Spec.MatchResources.NamespaceSelector.MatchExpressions
					if len(expressions) != 1 || expressions[0].Key != guard.ModeLabel || binding.Spec.PolicyName != policy.Name {
						t.Fatalf("%s of %s selects by %v", binding.Name, binding.Spec.PolicyName, expressions)
					}
					action := strings.TrimPrefix(binding.Name, policy.Name+"-")
					actions := fmt.Sprint(binding.Spec.ValidationActions)
					if actions != map[string]string{"warn": "[Warn Audit]", "deny": "[Deny]"}[action] {
						t.Errorf("%s has the actions %s", binding.Name, actions)
					}
					got[binding.Name] = fmt.Sprint(expressions[0].Operator, " ", strings.Join(expressions[0].Values, " "))
				}
			}
			expect.Equal(t, "policies", append(slices.Sorted(slices.Values(guard.PolicyNames)), guard.StartUpPolicy), names)
			expect.Equal(t, "bindings", map[string]string{
				"scopegate-virtualmcpservers-warn":            want.oneObjectWarn,
				"scopegate-virtualmcpservers-deny":            want.oneObjectDeny,
				"scopegate-start-up-warn":                     want.oneObjectWarn,
				"scopegate-start-up-deny":                     want.oneObjectDeny,
				"scopegate-configs-for-mcpservers-warn":       want.severalWarn,
				"scopegate-configs-for-mcpservers-deny":       want.severalDeny,
				"scopegate-configs-for-mcpremoteproxies-warn": want.severalWarn,
				"scopegate-configs-for-mcpremoteproxies-deny": want.severalDeny,
				"scopegate-consumers-warn":                    want.severalWarn,
				"scopegate-consumers-deny":                    want.severalDeny,
				"scopegate-pods-of-mcpservers-deny":           want.podsDeny,
				"scopegate-pods-of-mcpremoteproxies-deny":     want.podsDeny,
				"scopegate-pods-of-virtualmcpservers-deny":    want.podsDeny,
			}, got)
		})
	}
}

func TestNoPoliciesOfOtherModes(t *testing.T) {
	for _, mode := range []string{guard.ModeOff, "", "deny", "Enforce"} {
		_, err := guard.Policies(mode, nil)
		expect.Error(t, err, fmt.Sprintf("mode %q: choose one of warn, enforce, strict", mode))
	}
}

// TestDefaultScopes checks that other default scopes reach every policy on a baseline.
func TestDefaultScopes(t *testing.T) {
	for want, scopes := range map[string][]string{
		`"openid profile email offline_access".split(" ")`: nil,
		`"openid 'mcp:read'".split(" ")`:                   {"openid", "'mcp:read'"},
	} {
		policies, err := guard.Policies(guard.ModeWarn, scopes)
		expect.NoError(t, err)
		got := map[string]string{}
		for _, policy := range policies {
			for _, variable := range policy.Spec.Variables {
				if variable.Name == "defaults" {
					got[policy.Name] = variable.Expression
				}
			}
		}
		expect.Equal(t, "", map[string]string{
			guard.VirtualMCPServersPolicy: want, guard.ConfigsForMCPServersPolicy: want,
			guard.ConfigsForMCPRemoteProxiesPolicy: want, guard.ConsumersPolicy: want,
		}, got)
	}
}
