package plugin_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/client-go/discovery"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// TestVersion prints the versions of a cluster with a tested and with an untested
// version of ToolHive's operator, and for a user without the right to look for it.
func TestVersion(t *testing.T) {
	server, err := discovery.NewDiscoveryClientForConfigOrDie(guarded.Config).ServerVersion()
	expect.NoError(t, err)
	guarded.Create(t, namespace("toolhive-system", nil))
	// As its chart labels it.
	operator := sample.Deployment("toolhive-system", "toolhive-operator", map[string]string{"app.kubernetes.io/name": "toolhive-operator", "app.kubernetes.io/version": "v0.50.0"})
	guarded.Create(t, operator)
	t.Cleanup(func() {
		// The context of the test has ended.
		if err := guarded.Client.Delete(context.Background(), operator); err != nil {
			t.Error(err)
		}
	})
	got := succeed(t, guarded, "version")
	if want := "\nKubernetes: " + server.GitVersion + ", ToolHive: v0.50.0\nguard: "; !strings.HasPrefix(got, "scopegate ") || !strings.Contains(got, want) || strings.Contains(got, "not tested") {
		t.Errorf("want %q, and no warning, in:\n%s", want, got)
	}

	guarded.Patch(t, operator, `{"metadata":{"labels":{"app.kubernetes.io/version":"v0.99.0"}}}`)
	var report struct {
		APIVersion, Kind, Client string
		Server                   struct {
			Kubernetes, ToolHive string
			Guard                struct{ Mode string }
		}
		Notes []string
	}
	expect.NoError(t, json.Unmarshal([]byte(succeed(t, guarded, "version", "-o", "json")), &report))
	const warning = "scopegate is not tested with ToolHive v0.99.0, but with v0.44.0 to v0.63.0: see docs/compatibility.md before you rely on it"
	expect.Equal(t, "format", "scopegate.dev/version/v2 Version", report.APIVersion+" "+report.Kind)
	if report.Client == "" || report.Server.Kubernetes != server.GitVersion || report.Server.ToolHive != "v0.99.0" || report.Server.Guard.Mode == "" {
		t.Errorf("got %+v", report)
	}
	expect.Equal(t, "notes", []string{warning}, report.Notes)
	if got := kubectl(t.Context(), guarded, "guard", "check", "-n", "default"); got.code != 0 || !strings.Contains(got.stdout, warning+"\n") {
		t.Errorf("guard check: got %+v, want %q", got, warning)
	}

	got = succeed(t, guarded, "version", "--as", "nobody-knows")
	expect.Contains(t, got, "ToolHive: unknown\n", "the version of ToolHive's operator could not be read: deployments.apps is forbidden", "bindings of policies could not be read", "\nguard: unknown\n")
	if got := kubectl(t.Context(), guarded, "version", "--server", "https://127.0.0.1:1"); got.code != 3 || !strings.HasPrefix(got.stdout, "scopegate ") || !strings.Contains(got.stderr, "reading the version of the API server") {
		t.Errorf("no API server: got %+v, want the client's version and exit status 3", got)
	}
	if got := succeed(t, guarded, "version", "--client", "--server", "https://127.0.0.1:1"); strings.Count(got, "\n") != 1 {
		t.Errorf("the client alone: got %q", got)
	}
}
