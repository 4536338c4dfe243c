package main

import (
	"os/exec"
	"regexp"
	"testing"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestHelp holds every command to a help with examples, and those that evaluate to
// one with exit statuses.
func TestHelp(t *testing.T) {
	var visit func(command *cobra.Command)
	visit = func(command *cobra.Command) {
		if command.Short == "" || command.Example == "" {
			t.Errorf("%s has no description or no examples", command.CommandPath())
		}
		if statuses := regexp.MustCompile(`Exit status: 0 .*, 2 wrong usage, 3 `); command.Flags().Lookup("output") != nil && !statuses.MatchString(command.Long) {
			t.Errorf("%s does not tell its exit statuses", command.CommandPath())
		}
		for _, below := range command.Commands() {
			visit(below)
		}
	}
	visit(newRoot())
}

// heavy are packages that make every run start slower and larger: they register
// all kinds of Kubernetes, or are for those who write.
var heavy = regexp.MustCompile(`(?m)^(sigs\.k8s\.io/(controller-runtime|kustomize)|k8s\.io/(cli-runtime|client-go/(kubernetes|informers))|github\.com/scopegate/scopegate/internal/(operator|controller|rollout|status))(/pkg/.*)?$`)

var ofPlugin = regexp.MustCompile(`(?m)^github\.com/scopegate/scopegate/internal/(cluster|lint)(/.*)?$`)

// TestDependencies holds the plugin to what it needs, and the manager to nothing of the
// plugin.
func TestDependencies(t *testing.T) {
	for of, unwanted := range map[string]*regexp.Regexp{".": heavy, "../manager": ofPlugin} {
		output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", of).Output() //nolint:gosec // Our own packages.
		expect.NoError(t, err)
		if found := unwanted.FindAllString(string(output), -1); len(found) > 0 {
			t.Errorf("%s depends on %v", of, found)
		}
	}
}
