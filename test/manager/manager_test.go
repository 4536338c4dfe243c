// Package manager_test runs the built manager as users do: as a process with
// flags and a kubeconfig. It reads what administrators read.
package manager_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) { testenv.Main(m, &cluster, controlplane.Options{}) }

// TestManagerRefuses starts the manager as it must not be started. It starts it without the
// right to read anything, which is counted; then it must not be ready, as an update would
// replace good ones. At the end it takes away a field that only scopegate's own CRDs have,
// as on a cluster where ToolHive's operator is in charge. No test needs the field after it.
func TestManagerRefuses(t *testing.T) {
	manager := testenv.BuildManager(t)
	refuses := func(t *testing.T, want string, arguments ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), manager, arguments...) //nolint:gosec // Our own binary.
		command.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
		output, err := command.CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		if err == nil || !strings.Contains(lines[len(lines)-1], want) {
			t.Errorf("got %v, want an error that names %q in the last line:\n%s", err, want, output)
		}
	}
	for name, tc := range map[string]struct {
		arguments []string
		want      string
	}{
		"an unknown flag":                    {[]string{"--nonsense"}, "flag provided but not defined: -nonsense"},
		"an argument":                        {[]string{"nonsense"}, `unexpected argument "nonsense"`},
		"a missing kubeconfig":               {[]string{"--kubeconfig", "/does/not/exist"}, "/does/not/exist"},
		"guard mode on scopegate's own CRDs": {nil, "for standalone mode, start with --standalone"},
		"a cleanup in standalone mode":       {[]string{"--standalone", "--cleanup"}, "--cleanup"},
		"defaults in standalone mode":        {[]string{"--standalone", "--default-scopes=openid"}, "--default-scopes"},
		"a namespace with a space":           {[]string{"--watch-namespaces", "a, b"}, "--watch-namespaces"},
		"an empty image":                     {[]string{"--standalone", "--auth-server-image", ""}, "--auth-server-image"},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, tc.want, tc.arguments...) })
	}

	if help, err := exec.CommandContext(t.Context(), manager, "--help").CombinedOutput(); err != nil || !strings.Contains(string(help), "-watch-namespaces") { //nolint:gosec // Our own binary.
		t.Errorf("--help: %v\n%s", err, help)
	}

	namespace, probes, served := cluster.Namespace(t), testenv.FreeAddress(t), testenv.FreeAddress(t)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "nobody"}}
	cluster.Create(t, account)
	testenv.StartProcess(t, manager, "--standalone", "--kubeconfig", cluster.KubeconfigOf(t, namespace, account.Name), "--metrics-bind-address", served, "--health-probe-bind-address", probes)
	awaitAnswer(t, "http://"+probes+"/healthz", "ok")
	expect.Eventually(t, "the failing watches are counted", func(ctx context.Context) (bool, error) {
		_, text, err := testenv.Fetch(ctx, "http://"+served+"/metrics", "")
		counted, _ := testenv.Sum(text, "scopegate_watch_errors_total")
		return counted > 0, err
	})
	// It answers only when the caches are filled, so there is nothing to wait for.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if status, answer, err := testenv.Fetch(ctx, "http://"+probes+"/readyz", ""); err == nil && status == http.StatusOK {
		t.Errorf("the manager can read nothing, and is ready: %s", answer)
	}

	crd := &apiextensionsv1.CustomResourceDefinition{}
	crd.Name = "mcpexternalauthconfigs.toolhive.stacklok.dev"
	cluster.Get(t, crd)
	for i := range crd.Spec.Versions {
		server := crd.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["spec"].Properties["embeddedAuthServer"]
		server.XValidations = nil
		delete(server.Properties, "scopesSupported")
		crd.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["spec"].Properties["embeddedAuthServer"] = server
	}
	expect.NoError(t, cluster.Client.Update(t.Context(), crd))
	// The API server publishes a changed schema a moment later.
	expect.Eventually(t, "the field is gone", func(ctx context.Context) (bool, error) {
		_, _, err := cluster.Kubectl(ctx, nil, "explain", "mcpexternalauthconfig.spec.embeddedAuthServer.scopesSupported")
		return err != nil, nil
	})
	refuses(t, "MCPExternalAuthConfig is not scopegate's own (it has no spec.embeddedAuthServer.scopesSupported): "+
		"ToolHive's operator runs this cluster, and standalone mode would replace it; start without --standalone", "--standalone")
}
