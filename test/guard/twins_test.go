package guard_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
)

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
