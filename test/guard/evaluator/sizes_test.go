package evaluator_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/policies"
)

// The limits of what a reviewer can be expected to read.
const (
	maxExpression = 600
	maxPolicy     = 8 << 10
	maxAll        = 40 << 10
)

// TestSizes bounds the files of the policies, without comments.
func TestSizes(t *testing.T) {
	all := 0
	for _, pattern := range []string{"guard/policies/*.yaml", "guard/hold/*.yaml", "guard/start-up/*.yaml"} {
		names, err := fs.Glob(config.Files, pattern)
		expect.NoError(t, err)
		for _, name := range names {
			text, err := config.Files.ReadFile(name)
			expect.NoError(t, err)
			size := 0
			for line := range bytes.Lines(text) {
				if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
					size += len(line)
				}
			}
			if all += size; size > maxPolicy {
				t.Errorf("%s has %d bytes without comments, want at most %d", name, size, maxPolicy)
			}
		}
	}
	if all == 0 || all > maxAll {
		t.Errorf("the policies have %d bytes, want at most %d", all, maxAll)
	}
}

func expressions(all policies.Policies) map[string]string {
	found := map[string]string{}
	for _, policy := range append(slices.Clone(all.Validating), all.StartUp) {
		for _, variable := range policy.Spec.Variables {
			found[policy.Name+" "+variable.Name] = variable.Expression
		}
		for i, validation := range policy.Spec.Validations {
			name := fmt.Sprintf("%s validation %d", policy.Name, i)
			found[name], found[name+" message"] = validation.Expression, validation.MessageExpression
		}
	}
	for _, variable := range all.Hold.Spec.Variables {
		found[all.Hold.Name+" "+variable.Name] = variable.Expression
	}
	for _, mutation := range all.Hold.Spec.Mutations {
		found[all.Hold.Name+" mutation"] = mutation.JSONPatch.Expression
	}
	return found
}

func TestExpressionsAreShort(t *testing.T) {
	for name, expression := range expressions(policies.Load()) {
		if len(expression) > maxExpression {
			t.Errorf("%s has %d characters, want at most %d", name, len(expression), maxExpression)
		}
	}
}

// TestTwins checks that texts in two files are the same: the policies on configs,
// except for the kind of the consumers, and the variables of the policies on run
// configs.
func TestTwins(t *testing.T) {
	text := func(name string) string {
		text, err := config.Files.ReadFile("guard/policies/" + name + ".yaml")
		expect.NoError(t, err)
		return string(text)
	}
	words := func(text string) []string {
		// Comments are wrapped by the length of the kind.
		return strings.Fields(strings.ReplaceAll(text, "#", ""))
	}
	forServers := strings.NewReplacer("MCPServer", "MCPRemoteProxy", "mcpservers", "mcpremoteproxies").Replace(text(guard.ConfigsForMCPServersPolicy))
	expect.Equal(t, "the policies on configs differ in more than a kind", words(text(guard.ConfigsForMCPRemoteProxiesPolicy)), words(forServers))
	all := policies.Load()
	var want []admissionv1.Variable
	for _, variable := range all.Policy(guard.RunConfigsPolicy).Spec.Variables {
		if variable.Name != "workload" {
			want = append(want, variable)
		}
	}
	hold := slices.DeleteFunc(slices.Clone(all.Hold.Spec.Variables), func(v admissionv1.Variable) bool { return v.Name == "held" })
	expect.Equal(t, "the variables of the policies on run configs differ", want, hold)
	expect.Equal(t, "the policies on run configs select different objects", all.Policy(guard.RunConfigsPolicy).Spec.MatchConstraints.ObjectSelector, all.Hold.Spec.MatchConstraints.ObjectSelector)
}

func TestDefaultsAreTheSame(t *testing.T) {
	want, count := "'"+strings.Join(toolhive.DefaultScopes, " ")+"'.split(' ')", 0
	for name, expression := range expressions(policies.Load()) {
		if strings.HasSuffix(name, " defaults") {
			if count++; expression != want {
				t.Errorf("%s are %s, want %s", name, expression, want)
			}
		}
	}
	if count != len(guard.ValidatingPolicies)+1 {
		t.Errorf("%d policies have defaults, want all of %d", count, len(guard.ValidatingPolicies)+1)
	}
}

// TestEveryPolicyIsNamed compares the files with the list of policies that the
// check uses.
func TestEveryPolicyIsNamed(t *testing.T) {
	var names []string
	for _, policy := range policies.Load().Validating {
		names = append(names, policy.Name)
	}
	expect.Equal(t, "policies", slices.Sorted(slices.Values(guard.ValidatingPolicies)), slices.Sorted(slices.Values(names)))
}
