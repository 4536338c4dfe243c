package manager_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// awaitAnswer waits until a URL answers with 200 and a body that contains want.
// The manager counts what its cache holds, which lags behind the API server.
func awaitAnswer(t *testing.T, url, want string) {
	t.Helper()
	var body string
	expect.Eventually(t, url+" says "+want, func(ctx context.Context) (bool, error) {
		status, answer, _ := testenv.Fetch(ctx, url, "") // It may not listen yet.
		body = answer
		return status == http.StatusOK && strings.Contains(answer, want), nil
	}, func() string { return body })
}

// reconciles returns how many reconciles have ended in a manager.
func reconciles(ctx context.Context, metrics string) (float64, error) {
	_, text, err := testenv.Fetch(ctx, metrics, "")
	if err != nil {
		return 0, err
	}
	return testenv.Sum(text, "controller_runtime_reconcile_total")
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

// events waits until a namespace has at least n events, and returns them in short.
func events(t *testing.T, namespace string, n int) []string {
	t.Helper()
	var found []string
	expect.Eventually(t, "the transitions have events", func(ctx context.Context) (bool, error) {
		list := &eventsv1.EventList{}
		if err := cluster.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return false, err
		}
		found = nil
		for _, event := range list.Items {
			found = append(found, fmt.Sprintf("%s by %s: %s %s", event.Regarding.Kind, event.ReportingController, event.Type, event.Reason))
		}
		return len(found) >= n, nil
	}, func() string { return strings.Join(found, "\n") })
	slices.Sort(found)
	return found
}

// TestManagerTellsTransitionsOnly follows a consumer through a mistake, another one and
// their repair, and then reconciles it again and again with nothing to report. It reads
// the log, the events, the metrics and the probes.
func TestManagerTellsTransitionsOnly(t *testing.T) {
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "openid")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	// Both exist before the manager starts, so its first evaluations are right, and
	// not transitions.
	cluster.Create(t, config, server)
	address, probes := testenv.FreeAddress(t), testenv.FreeAddress(t)
	metrics := "http://" + address + "/metrics"
	manager := testenv.StartProcess(t, testenv.BuildManager(t), "--standalone", "--kubeconfig", cluster.Kubeconfig, "--watch-namespaces", namespace,
		// With a lease, the client libraries have something to log too.
		"--leader-elect", "--leader-election-namespace", controlplane.Namespace,
		"--metrics-bind-address", address, "--health-probe-bind-address", probes)
	awaitAnswer(t, "http://"+probes+"/readyz", "ok")
	awaitAnswer(t, "http://"+probes+"/healthz", "ok")
	says := func(generation int64, status string) {
		t.Helper()
		config = testenv.Await(t, cluster.Client, config, "says "+status, func(c *v1beta1.MCPExternalAuthConfig) bool {
			return c.Generation == generation && c.Status.ObservedGeneration == generation &&
				string(testenv.Valid(c).Status) == status
		})
		server = testenv.AwaitValid(t, cluster, server, status)
	}
	says(1, "True")
	// From one mistake to the other, only the message changes.
	for i, step := range []struct{ scope, status string }{{"admin", "False"}, {"root", "False"}, {"email", "True"}} {
		testenv.Edit(t, cluster, config, func(c *v1beta1.MCPExternalAuthConfig) {
			c.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{step.scope}
		})
		says(int64(i+2), step.status)
	}
	awaitAnswer(t, metrics, `scopegate_baseline_scopes_valid{kind="MCPServer",object_namespace="",reason="BaselineScopesSupported",status="True"} 1`)
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
	// Of two transitions with the same reason, one has an event.
	want = []string{
		"MCPExternalAuthConfig by scopegate: Normal BaselineScopesSupported",
		"MCPExternalAuthConfig by scopegate: Warning BaselineScopeNotSupported",
		"MCPServer by scopegate: Normal BaselineScopesSupported",
		"MCPServer by scopegate: Normal OIDCConfigNotFound",
		"MCPServer by scopegate: Warning BaselineScopeNotSupported",
	}
	expect.Equal(t, "events", want, events(t, namespace, len(want)))

	before := len(ofControllers(manager.Logs()))
	const nudges = 50
	start, err := reconciles(t.Context(), metrics)
	expect.NoError(t, err)
	for i := range nudges {
		// A label wakes the reconciler of the object; each edit is awaited, so that
		// none is merged with the next.
		cluster.Patch(t, server, fmt.Sprintf(`{"metadata":{"labels":{"nudge":"%d"}}}`, i))
		expect.Eventually(t, fmt.Sprintf("reconcile %d comes", i+1), func(ctx context.Context) (bool, error) {
			now, err := reconciles(ctx, metrics)
			return now >= start+float64(i+1), err
		})
	}
	if logged := ofControllers(manager.Logs())[before:]; len(logged) > 0 {
		t.Errorf("%d reconciles with nothing to report were logged:\n%s", nudges, strings.Join(logged, "\n"))
	}
	expect.NoError(t, manager.Stop())
}
