// Package manager_test runs the built manager as users do: as a process with
// flags and a kubeconfig. It reads what administrators read.
package manager_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) { testenv.Main(m, &cluster, controlplane.Options{}) }

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
// CRDs have, as on a cluster where ToolHive's operator is in charge. It is the last
// test, because it does not give the field back.
func TestManagerRefusesForeignCRDs(t *testing.T) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	crd.Name = "mcpexternalauthconfigs.toolhive.stacklok.dev"
	cluster.Get(t, crd)
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
