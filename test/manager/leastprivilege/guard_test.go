package leastprivilege_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	eventsv1 "k8s.io/api/events/v1"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// TestGuard lets the guard do all that it does: validate, look for what is held, try
// its policies, report one that is not effective, serve metrics, end, clean up.
func TestGuard(t *testing.T) {
	t.Parallel()
	exerciseGuard(t, install(t, true, filepath.Join(dist, "guard.yaml"), filepath.Join(dist, "guard-hold.yaml")), "team-c")
}

// TestGuardInNamespaces is the same by Roles in team-a and team-b.
func TestGuardInNamespaces(t *testing.T) {
	t.Parallel()
	exerciseGuard(t, install(t, true, rendered(t, "namespaced-guard"), filepath.Join(dist, "guard-hold.yaml")))
}

// rendered is a file with an example of config/examples.
func rendered(t *testing.T, example string) string {
	t.Helper()
	text, err := setup.Tool(t.Context(), "kustomize", "build", "config/examples/"+example)
	expect.NoError(t, err)
	path := filepath.Join(t.TempDir(), "manifest.yaml")
	expect.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func exerciseGuard(t *testing.T, i *installed, more ...string) {
	t.Helper()
	const ineffective, effective = "scopegate-virtualmcpservers", "scopegate-consumers"
	disable(t, i, ineffective)
	manager := i.manager(t)
	for _, namespace := range append([]string{"team-a", "team-b"}, more...) {
		createAll(t, i, namespace)
		awaitEvaluated(t, i, namespace)
	}
	if len(more) == 0 {
		createAll(t, i, "team-c")
		// The right to report this anew is one of its own here.
		awaitEvent(t, i, "default", "GuardIneffective")
		unbind(t, i, ineffective)
		awaitEvents(t, i, "default", "GuardIneffective", func(event *eventsv1.Event) bool { return event.Series != nil })
	}
	scrapeMetrics(t, i, manager)
	awaitEffective(t, i, manager, ineffective, "1")
	awaitEffective(t, i, manager, effective, "0")
	awaitEvent(t, i, "default", "GuardIneffective")
	manager.stop(t)

	again := i.manager(t, listing)
	reconsider(t, i, "team-a")
	again.stop(t)

	arguments := []string{"--cleanup", "--kubeconfig=" + i.kubeconfig}
	for _, argument := range i.deployment.Spec.Template.Spec.Containers[0].Args {
		if strings.HasPrefix(argument, "--watch-namespaces") {
			arguments = append(arguments, argument)
		}
	}
	if output, err := i.command(arguments...).CombinedOutput(); err != nil {
		t.Fatalf("cleaning up: %v\n%s", err, output)
	}
	if len(more) == 0 {
		isNotEvaluated(t, i, "team-c")
	}
	i.check(t)
}
