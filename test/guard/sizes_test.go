package guard_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// The limits of what a reviewer can be expected to read.
const (
	maxAll        = 30_000
	maxExpression = 450
	// maxOptional is for an expression of the start-up policy, which few install.
	maxOptional = 600
)

// TestSizes bounds the files of the policies, without comments, and each expression.
func TestSizes(t *testing.T) {
	names, err := fs.Glob(config.Files, "guard/policies/*.yaml")
	expect.NoError(t, err)
	size := 0
	for _, name := range names {
		text, err := config.Files.ReadFile(name)
		expect.NoError(t, err)
		for line := range bytes.Lines(text) {
			if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
				size += len(line)
			}
		}
	}
	if size == 0 || size >= maxAll {
		t.Errorf("the policies have %d bytes, want less than %d", size, maxAll)
	}
	policies, err := guard.Policies(guard.ModeWarn, nil)
	expect.NoError(t, err)
	for _, policy := range policies {
		expressions := map[string]string{}
		for _, condition := range policy.Spec.MatchConditions {
			expressions["condition "+condition.Name] = condition.Expression
		}
		for _, variable := range policy.Spec.Variables {
			expressions["variable "+variable.Name] = variable.Expression
		}
		for i, validation := range policy.Spec.Validations {
			expressions[fmt.Sprint("validation ", i)], expressions[fmt.Sprint("message ", i)] = validation.Expression, validation.MessageExpression
		}
		limit := maxExpression
		if policy.Name == guard.StartUpPolicy {
			limit = maxOptional
		}
		for name, expression := range expressions {
			if len(expression) > limit {
				t.Errorf("%s of %s has %d characters, want at most %d", name, policy.Name, len(expression), limit)
			}
		}
	}
}

// Only the pods of an MCPServer have its generation, so only their policy compares it.
const (
	ofMCPServers = "judges the MCPServer as it is now, or as it was when ToolHive's operator wrote the pod's template: " +
		"a ReplicaSet that was refused tries again, also while the manager has not judged the next edit yet."
	comparedWithPod = "string(c.?observedGeneration.orValue(0)) in [string(params.metadata.generation), " +
		"object.metadata.?annotations[?'" + toolhive.GenerationAnnotation + "'].orValue('')])"
	ofOthers = "judges the MCPServer as it is now."
	compared = "c.?observedGeneration.orValue(0) == params.metadata.generation)"
)

// TestTwins compares the policies that differ in the kind alone.
func TestTwins(t *testing.T) {
	for policy, of := range map[string]struct{ kind, twin, twinKind string }{
		guard.ConfigsForMCPRemoteProxiesPolicy: {"MCPRemoteProxy", guard.ConfigsForMCPServersPolicy, "MCPServer"},
		guard.PodsOfMCPRemoteProxiesPolicy:     {"MCPRemoteProxy", guard.PodsOfMCPServersPolicy, "MCPServer"},
		guard.PodsOfVirtualMCPServersPolicy:    {"VirtualMCPServer", guard.PodsOfMCPServersPolicy, "MCPServer"},
	} {
		t.Run(policy, func(t *testing.T) {
			want := strings.NewReplacer(of.twin, policy, of.twinKind, of.kind, strings.ToLower(of.twinKind), strings.ToLower(of.kind)).
				Replace(strings.NewReplacer(ofMCPServers, ofOthers, comparedWithPod, compared).Replace(words(t, of.twin)))
			expect.Equal(t, "", strings.Split(want, " "), strings.Split(words(t, policy), " "))
		})
	}
}

// words returns the text of a policy's file without line breaks. Comments are wrapped by
// the length of the kind.
func words(t *testing.T, policy string) string {
	text, err := config.Files.ReadFile("guard/policies/" + policy + ".yaml")
	expect.NoError(t, err)
	fields := slices.DeleteFunc(strings.Fields(string(text)), func(word string) bool { return word == "#" })
	return strings.Join(fields, " ")
}
