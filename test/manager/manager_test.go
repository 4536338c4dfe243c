// Package manager_test runs the built manager as users do: as a process with
// flags and a kubeconfig.
package manager_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) { testenv.Main(m, &cluster, controlplane.Options{}) }

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

func TestManagerServesAndEndsCleanly(t *testing.T) {
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "admin")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared"))
	cluster.Create(t, config, server)
	metrics, probes := testenv.FreeAddress(t), testenv.FreeAddress(t)
	manager := testenv.StartProcess(t, testenv.BuildManager(t), "--standalone", "--kubeconfig", cluster.Kubeconfig, "--metrics-bind-address", metrics,
		"--health-probe-bind-address", probes, "--leader-elect", "--leader-election-namespace", controlplane.Namespace)

	awaitAnswer(t, fmt.Sprintf("http://%s/readyz", probes), "ok")
	awaitAnswer(t, fmt.Sprintf("http://%s/healthz", probes), "ok")
	testenv.AwaitValid(t, cluster, server, "False")
	awaitAnswer(t, fmt.Sprintf("http://%s/metrics", metrics),
		`scopegate_baseline_scopes_valid{kind="MCPServer",object_namespace="`+namespace+`",reason="BaselineScopeNotSupported",status="False"} 1`)

	if err := manager.Stop(); err != nil {
		t.Error(err)
	}
}

func TestManagerRefuses(t *testing.T) {
	manager := testenv.BuildManager(t)
	for name, tc := range map[string]struct {
		arguments []string
		want      string
	}{
		"an unknown flag":                    {[]string{"--nonsense"}, "flag provided but not defined: -nonsense"},
		"an argument":                        {[]string{"nonsense"}, `unexpected argument "nonsense"`},
		"a missing kubeconfig":               {[]string{"--kubeconfig", "/does/not/exist"}, "/does/not/exist"},
		"guard mode on scopegate's own CRDs": {nil, "start with --standalone for standalone mode"},
		"a cleanup in standalone mode":       {[]string{"--standalone", "--cleanup"}, "--cleanup"},
		"defaults in standalone mode":        {[]string{"--standalone", "--default-scopes=openid"}, "--default-scopes"},
		"a namespace with a space":           {[]string{"--watch-namespaces", "a, b"}, "--watch-namespaces"},
		"an empty image":                     {[]string{"--standalone", "--auth-server-image", ""}, "--auth-server-image"},
	} {
		t.Run(name, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), manager, tc.arguments...) //nolint:gosec // Our own binary.
			command.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
			output, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(output), tc.want) {
				t.Errorf("got %v, want an error that names %q:\n%s", err, tc.want, output)
			}
		})
	}
}

// TestManagerRefusesForeignCRDs takes away the field that only scopegate's own
// CRDs have, as on a cluster where ToolHive's operator is in charge.
func TestManagerRefusesForeignCRDs(t *testing.T) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	key := client.ObjectKey{Name: "mcpexternalauthconfigs.toolhive.stacklok.dev"}
	expect.NoError(t, cluster.Client.Get(t.Context(), key, crd))
	for i := range crd.Spec.Versions {
		spec := crd.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["spec"]
		server := spec.Properties["embeddedAuthServer"]
		server.XValidations = nil
		delete(server.Properties, "scopesSupported")
		spec.Properties["embeddedAuthServer"] = server
	}
	expect.NoError(t, cluster.Client.Update(t.Context(), crd))
	// The API server publishes a changed schema a moment later.
	expect.Eventually(t, "the field is gone", func(ctx context.Context) (bool, error) {
		_, _, err := cluster.Kubectl(ctx, nil, "explain", "mcpexternalauthconfig.spec.embeddedAuthServer.scopesSupported")
		return err != nil, nil
	})
	command := exec.CommandContext(t.Context(), testenv.BuildManager(t), "--standalone", "--kubeconfig", cluster.Kubeconfig) //nolint:gosec // Our own binary.
	output, err := command.CombinedOutput()
	if err == nil {
		t.Error("the manager starts")
	}
	expect.Contains(t, string(output), "MCPExternalAuthConfig is not scopegate's own", "start without --standalone")
}
