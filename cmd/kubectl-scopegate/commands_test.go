package main

import (
	"os/exec"
	"regexp"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp checks that every command has a description and examples, and that
// commands that evaluate document their exit statuses.
func TestHelp(t *testing.T) {
	var visit func(command *cobra.Command)
	visit = func(command *cobra.Command) {
		if command.Short == "" || command.Example == "" {
			t.Errorf("%s has no description or no examples", command.CommandPath())
		}
		if statuses := regexp.MustCompile(`Exit status: 0 .*, 2 wrong usage, 3 `); command.Flags().Lookup("output") != nil && !statuses.MatchString(command.Long) {
			t.Errorf("%s does not document its exit statuses", command.CommandPath())
		}
		for _, below := range command.Commands() {
			visit(below)
		}
	}
	visit(newRoot())
}

// heavy matches packages that would make the plugin larger and slower to start:
// they register all kinds of Kubernetes or serve only to write.
var heavy = regexp.MustCompile(`(?m)^(sigs\.k8s\.io/(controller-runtime|kustomize)|k8s\.io/(cli-runtime|client-go/(kubernetes|informers))|github\.com/scopegate/scopegate/internal/(operator|controller|rollout|status))(/pkg/.*)?$`)

// ofPlugin matches the packages that only the plugin may use.
var ofPlugin = regexp.MustCompile(`(?m)^github\.com/scopegate/scopegate/internal/(cluster|lint)(/.*)?$`)

// TestDependencies checks that the plugin does not depend on heavy packages, and
// the manager does not depend on packages of the plugin.
func TestDependencies(t *testing.T) {
	for of, unwanted := range map[string]*regexp.Regexp{".": heavy, "../manager": ofPlugin} {
		output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", of).Output() //nolint:gosec // Our own packages.
		if err != nil {
			t.Fatal(err)
		}
		if found := unwanted.FindAllString(string(output), -1); len(found) > 0 {
			t.Errorf("%s depends on %v", of, found)
		}
	}
}
