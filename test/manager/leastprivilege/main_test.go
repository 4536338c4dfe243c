// Package leastprivilege_test runs the built manager as it is shipped, with the
// flags of its Deployment and as its own ServiceAccount, and holds from the API
// server's audit log that every right which it is granted was used, that nothing
// it asked for was refused, and that it read no Secret.
package leastprivilege_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/e2e/chart"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

var (
	// binary is the path of the built manager, dist a folder with the files of
	// `make dist`.
	binary, dist string
)

func TestMain(m *testing.M) {
	// The tests mostly wait: all run at once, also where there are fewer processors.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	testenv.MainAfter(m, func(ctx context.Context, atEnd func(func() error)) (err error) {
		if dist, err = os.MkdirTemp("", "scopegate-leastprivilege-"); err != nil {
			return err
		}
		atEnd(func() error { return os.RemoveAll(dist) })
		binary = filepath.Join(dist, "manager")
		return errors.Join(testenv.Build(ctx, "github.com/scopegate/scopegate/cmd/manager", binary), setup.Dist(ctx, dist))
	})
}

// auditPolicy logs every request, whoever makes it.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
`

// installed is a cluster on which a manifest was applied.
type installed struct {
	*testenv.Cluster
	auditLog string
	objects  []*unstructured.Unstructured
	// deployment is that of the manager, in the manifest.
	deployment *appsv1.Deployment
	kubeconfig string
	// scraper is the token of who may read the metrics.
	scraper string
}

// install starts an API server with an audit log and applies a manifest to it.
func install(t *testing.T, toolhive bool, manifests ...string) *installed {
	t.Helper()
	folder := t.TempDir()
	policy, log := filepath.Join(folder, "policy.yaml"), filepath.Join(folder, "audit.log")
	expect.NoError(t, os.WriteFile(policy, []byte(auditPolicy), 0o600))
	cluster := testenv.StartFor(t, controlplane.Options{Bare: true, APIServerArgs: map[string]string{
		"audit-policy-file": policy, "audit-log-path": log,
	}})
	i := &installed{Cluster: cluster, auditLog: log}
	if toolhive {
		crds, err := chart.CRDs(setup.Root)
		expect.NoError(t, err)
		i.apply(t, crds)
	}
	for _, namespace := range []string{"team-a", "team-b", "team-c"} {
		cluster.Create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	}
	for _, manifest := range manifests {
		i.apply(t, manifest)
		objects, err := setup.DecodeFile(manifest)
		expect.NoError(t, err)
		i.objects = append(i.objects, objects...)
	}
	for _, object := range i.objects {
		if object.GetKind() == "Deployment" {
			i.deployment = &appsv1.Deployment{}
			expect.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, i.deployment))
		}
	}
	i.kubeconfig = i.KubeconfigOf(t, controlplane.Namespace, i.account())
	return i
}

func (i *installed) apply(t *testing.T, path string) {
	t.Helper()
	if _, err := setup.Kubectl(t.Context(), i.ControlPlane, "apply", "--server-side", "-f", path); err != nil {
		t.Fatal(err)
	}
}

// account is the ServiceAccount of the manager's pods.
func (i *installed) account() string { return i.deployment.Spec.Template.Spec.ServiceAccountName }

// process is a running manager.
type process struct {
	*testenv.Process
	metrics string
}

// variable is how a container's arguments name one of its environment.
var variable = regexp.MustCompile(`\$\(([A-Z_]+)\)`)

// manager starts the manager with the flags of its Deployment, and an environment
// beside that of the test. Beyond them are the flags that a process outside of a
// cluster needs.
func (i *installed) manager(t *testing.T, more ...string) *process {
	t.Helper()
	container := i.deployment.Spec.Template.Spec.Containers[0]
	environment := map[string]string{}
	for _, env := range container.Env {
		environment[env.Name] = env.Value
	}
	metrics := testenv.FreeAddress(t)
	var arguments []string
	for _, argument := range container.Args {
		arguments = append(arguments, variable.ReplaceAllStringFunc(argument, func(name string) string { return environment[name[2:len(name)-1]] }))
	}
	arguments = append(arguments, "--kubeconfig="+i.kubeconfig, "--leader-election-namespace="+controlplane.Namespace,
		"--metrics-bind-address="+metrics, "--health-probe-bind-address=0")
	command := i.command(arguments...)
	command.Env = append(command.Env, more...)
	return &process{testenv.StartCommand(t, command), metrics}
}

func (i *installed) command(arguments ...string) *exec.Cmd {
	command := exec.Command(binary, arguments...) //nolint:gosec // Just built.
	command.Env = append(os.Environ(), "POD_NAMESPACE="+controlplane.Namespace)
	return command
}

// listing makes client-go list and watch, as it does where the API server can't
// answer a list by a watch.
const listing = "KUBE_FEATURE_WatchListClient=false"

// stop ends a manager as the kubelet does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	expect.NoError(t, p.Stop())
}

// scrape gets the metrics with a token and returns the HTTP status.
func (p *process) scrape(t *testing.T, token string) int {
	t.Helper()
	status, _, err := testenv.Fetch(t.Context(), "https://"+p.metrics+"/metrics", token)
	expect.NoError(t, err)
	return status
}
