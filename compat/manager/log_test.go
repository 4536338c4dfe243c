package manager_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/internal/versions"
)

type line struct {
	Message    string `json:"msg"`
	Kubernetes string
	ToolHive   string
	Policies   []string
	Warning    string
}

// TestLogSaysWhatRuns checks that a manager logs at its start the versions, and which
// policies it checks.
func TestLogSaysWhatRuns(t *testing.T) {
	server, err := discovery.NewDiscoveryClientForConfigOrDie(cluster.Config).ServerVersion()
	expect.NoError(t, err)
	manager := startProcess(t, cluster.Kubeconfig)
	started := awaitLine(t, manager, "the manager starts")
	if started.Kubernetes != server.GitVersion || started.ToolHive != "unknown" {
		t.Errorf("got %+v, want Kubernetes %s", started, server.GitVersion)
	}
	checked := awaitLine(t, manager, "the policies are checked")
	want := slices.Sorted(slices.Values(append(slices.Clone(guard.PolicyNames), guard.CanaryNamespace)))
	expect.Equal(t, "checked policies", want, checked.Policies)
	outside := len(versions.Found{Kubernetes: server.GitVersion}.Warnings()) > 0
	if warns := strings.Contains(manager.Logs(), "a version is not tested"); warns != outside {
		t.Errorf("the log warns of the version: %v, want %v:\n%s", warns, outside, manager.Logs())
	}
}

// TestLogWarnsOfVersions starts the manager on an API server that reports an
// untested version.
func TestLogWarnsOfVersions(t *testing.T) {
	target, err := url.Parse(cluster.Config.Host)
	expect.NoError(t, err)
	transport, err := rest.TransportFor(cluster.Config)
	expect.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = transport
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/version" {
			_, _ = writer.Write([]byte(`{"gitVersion":"v1.99.0"}`))
			return
		}
		proxy.ServeHTTP(writer, request)
	}))
	t.Cleanup(server.Close)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := `{"apiVersion":"v1","kind":"Config","current-context":"a","contexts":[{"name":"a","context":{"cluster":"a"}}],"clusters":[{"name":"a","cluster":{"server":"` + server.URL + `"}}]}`
	expect.NoError(t, os.WriteFile(kubeconfig, []byte(text), 0o600))
	warned := awaitLine(t, startProcess(t, kubeconfig), "a version is not tested")
	if want := "not tested with Kubernetes v1.99.0, but with 1.30 to 1.37"; !strings.Contains(warned.Warning, want) {
		t.Errorf("got %+v, want %q", warned, want)
	}
}

func startProcess(t *testing.T, kubeconfig string) *testenv.Process {
	t.Helper()
	return testenv.StartProcess(t, testenv.BuildManager(t), "--kubeconfig", kubeconfig, "--namespace", controlplane.Namespace,
		"--metrics-bind-address", "0", "--health-probe-bind-address", "0")
}

func awaitLine(t *testing.T, manager *testenv.Process, message string) (found line) {
	t.Helper()
	expect.Eventually(t, "there is the line "+message, func(context.Context) (bool, error) {
		for text := range strings.Lines(manager.Logs()) {
			// The output of a panic is not JSON.
			if json.Unmarshal([]byte(text), &found) == nil && found.Message == message {
				return true, nil
			}
		}
		return false, nil
	}, manager.Logs)
	return found
}
