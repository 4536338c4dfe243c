package observe_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// reconciles returns how many reconciles have ended in a manager.
func reconciles(ctx context.Context, address string) (float64, error) {
	_, text, err := testenv.Fetch(ctx, "http://"+address+"/metrics", "")
	if err != nil {
		return 0, err
	}
	total := 0.0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "controller_runtime_reconcile_total{") {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
			if err != nil {
				return 0, err
			}
			total += value
		}
	}
	return total, nil
}

// transitions are the lines of a log that report conditions, in short.
func transitions(t *testing.T, log string) []string {
	t.Helper()
	var found []string
	for scanner := bufio.NewScanner(strings.NewReader(log)); scanner.Scan(); {
		var line struct {
			Level, Msg, ControllerKind, Namespace, Name, Condition, Status, Reason string
		}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("a line of the log is not JSON: %v: %s", err, scanner.Text())
		}
		if line.Condition != "" {
			if line.Level != "info" || line.Msg == "" || line.Namespace == "" {
				t.Errorf("the line lacks something: %s", scanner.Text())
			}
			found = append(found, fmt.Sprintf("%s %s: %s=%s %s", line.ControllerKind, line.Name, line.Condition, line.Status, line.Reason))
		}
	}
	return found
}

// ofControllers returns the lines of a log without those of the client libraries,
// for example on a late renewal of a lease.
func ofControllers(log string) []string {
	var lines []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"controller":`) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestLogTellsTransitionsOnly follows a consumer through a mistake and its
// repair, and then reconciles it again and again with nothing to report.
func TestLogTellsTransitionsOnly(t *testing.T) {
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	// Both exist before the manager starts, so its first evaluations are right, and
	// not transitions.
	cluster.Create(t, config, server)
	address := testenv.FreeAddress(t)
	manager := testenv.StartProcess(t, testenv.BuildManager(t), "--standalone", "--kubeconfig", cluster.Kubeconfig, "--watch-namespaces", namespace,
		// With a lease, the client libraries have something to log too.
		"--leader-elect", "--leader-election-namespace", controlplane.Namespace,
		"--metrics-bind-address", address, "--health-probe-bind-address", "0")
	says := func(generation int64, status string) {
		t.Helper()
		config = testenv.Await(t, cluster.Client, config, "says "+status, func(c *v1beta1.MCPExternalAuthConfig) bool {
			return c.Generation == generation && c.Status.ObservedGeneration == generation &&
				string(testenv.Valid(c).Status) == status
		})
		server = testenv.AwaitValid(t, cluster, server, status)
	}
	says(1, "True")
	for i, step := range []struct{ scope, status string }{{"admin", "False"}, {"email", "True"}} {
		testenv.Edit(t, cluster, config, func(c *v1beta1.MCPExternalAuthConfig) {
			c.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{step.scope}
		})
		says(int64(i+2), step.status)
	}
	// Without the MCPOIDCConfig, Ready waits for it whenever the baseline is good.
	want := []string{
		"MCPExternalAuthConfig shared: BaselineScopesValid=False BaselineScopeNotSupported",
		"MCPExternalAuthConfig shared: BaselineScopesValid=True BaselineScopesSupported",
		"MCPServer web: BaselineScopesValid=False BaselineScopeNotSupported",
		"MCPServer web: BaselineScopesValid=True BaselineScopesSupported",
		"MCPServer web: Ready=False BaselineScopeNotSupported",
		"MCPServer web: Ready=False OIDCConfigNotFound",
	}
	var got []string
	expect.Eventually(t, "the transitions are logged", func(context.Context) (bool, error) {
		got = transitions(t, manager.Logs())
		return len(got) >= len(want), nil
	}, func() string { return strings.Join(got, "\n") })
	expect.Equal(t, "lines of the log", want, slices.Sorted(slices.Values(got)))

	before := len(ofControllers(manager.Logs()))
	const nudges = 50
	start, err := reconciles(t.Context(), address)
	expect.NoError(t, err)
	for i := range nudges {
		// A label wakes the reconciler of the object; each edit is awaited, so that
		// none is merged with the next.
		patch := fmt.Sprintf(`{"metadata":{"labels":{"nudge":"%d"}}}`, i)
		cluster.Patch(t, server, patch)
		expect.Eventually(t, fmt.Sprintf("reconcile %d comes", i+1), func(ctx context.Context) (bool, error) {
			now, err := reconciles(ctx, address)
			return now >= start+float64(i+1), err
		})
	}
	if logged := ofControllers(manager.Logs())[before:]; len(logged) > 0 {
		t.Errorf("%d reconciles with nothing to report were logged:\n%s", nudges, strings.Join(logged, "\n"))
	}
}
