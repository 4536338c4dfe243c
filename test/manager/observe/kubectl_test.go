package observe_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// kubectlWait runs `kubectl wait` for the condition of an MCPServer.
func kubectlWait(ctx context.Context, namespace, status, timeout string) (string, error) {
	stdout, stderr, err := cluster.Kubectl(ctx, nil, "wait", "mcpserver/web", "--namespace", namespace,
		"--for=condition=BaselineScopesValid="+status, "--timeout="+timeout)
	return stdout + stderr, err
}

// TestKubectlWait waits for the condition from the moment at which the object
// is created, when it has none, and after an edit that nobody has evaluated yet.
func TestKubectlWait(t *testing.T) {
	namespace := cluster.Namespace(t)
	config := testenv.Config(namespace, "shared", "openid")
	server := testenv.Server(namespace, "web", testenv.AuthServerRef("shared"))
	cluster.Create(t, config, server)
	if output, err := kubectlWait(t.Context(), namespace, "True", "1s"); err == nil || !strings.Contains(output, "timed out") {
		t.Fatalf("with no manager: got %v, want a timeout: %s", err, output)
	}
	waited := make(chan string, 1)
	go func() {
		output, err := kubectlWait(t.Context(), namespace, "True", "60s")
		if err != nil {
			output = err.Error() + ": " + output
		}
		waited <- output
	}()
	first := cluster.StartManager(t, nil)
	if output := <-waited; !strings.Contains(output, "condition met") {
		t.Fatalf("waiting from the creation: %s", output)
	}
	expect.NoError(t, first.Stop())

	// The condition is still True, but of the object as it was.
	testenv.Edit(t, cluster, server, func(s *v1beta1.MCPServer) { s.Spec.OIDCConfigRef.Scopes = []string{"email"} })
	if output, err := kubectlWait(t.Context(), namespace, "True", "1s"); err == nil || !strings.Contains(output, "timed out") {
		t.Errorf("with a condition of an older generation: got %v, want a timeout: %s", err, output)
	}
	cluster.StartManager(t, nil)
	if output, err := kubectlWait(t.Context(), namespace, "False", "30s"); err != nil {
		t.Errorf("waiting for the verdict on the edit: %v: %s", err, output)
	}
}

// TestKubectlEvents reads an event as a user does.
func TestKubectlEvents(t *testing.T) {
	namespace := cluster.Namespace(t)
	cluster.StartManager(t, nil)
	server := testenv.Server(namespace, "web", testenv.AuthServerRef("shared"))
	cluster.Create(t, testenv.Config(namespace, "shared", "admin"), server)
	testenv.AwaitValid(t, cluster, server, "False")
	want := []string{"Warning", "BaselineScopeNotSupported", "MCPServer/web", `scope "admin" is not supported by the auth server`}
	var output string
	expect.Eventually(t, "kubectl events shows it", func(ctx context.Context) (bool, error) {
		stdout, stderr, err := cluster.Kubectl(ctx, nil, "events", "--namespace", namespace, "--for", "mcpserver/web")
		output = stdout + stderr
		return err == nil && !slices.ContainsFunc(want, func(word string) bool { return !strings.Contains(stdout, word) }), nil
	}, func() string { return output })
}
