// Package leastprivilege_test runs the built manager as it is shipped, with the
// flags of its Deployment and as its own ServiceAccount. By the API server's
// audit log, it checks that the manager used every right that it is granted,
// that no request was forbidden, and that it read no Secret.
package leastprivilege_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/crds"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
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
	// The tests mostly wait, so all run at once, even on fewer processors.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	testenv.RunMain(m, func(ctx context.Context, atEnd func(func() error)) (err error) {
		if dist, err = os.MkdirTemp("", "scopegate-leastprivilege-"); err != nil {
			return err
		}
		atEnd(func() error { return os.RemoveAll(dist) })
		binary = filepath.Join(dist, "manager")
		return errors.Join(setup.BuildManager(ctx, binary), setup.Dist(ctx, dist))
	})
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
`

type installed struct {
	*testenv.Cluster
	auditLog   string
	objects    []*unstructured.Unstructured
	manifests  []string
	deployment *appsv1.Deployment
	kubeconfig string
	// scraper is a token with the right to read the metrics.
	scraper string
}

// install starts an API server with an audit log and applies a manifest to it.
func install(t *testing.T, toolhive bool, manifests ...string) *installed {
	t.Helper()
	folder := t.TempDir()
	policy, log := filepath.Join(folder, "policy.yaml"), filepath.Join(folder, "audit.log")
	expect.NoError(t, os.WriteFile(policy, []byte(auditPolicy), 0o600))
	cluster := testenv.StartForTest(t, controlplane.Options{Bare: true, APIServerArgs: map[string]string{
		"audit-policy-file": policy, "audit-log-path": log,
	}})
	i := &installed{Cluster: cluster, auditLog: log, manifests: manifests}
	if toolhive {
		crds, err := chart.CRDs(setup.Root)
		expect.NoError(t, err)
		i.apply(t, crds)
		// A quota applies once this controller has written its status.
		expect.NoError(t, cluster.StartControllers("resourcequota-controller", nil))
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
	i.awaitCRDs(t)
	i.kubeconfig = i.KubeconfigOf(t, controlplane.Namespace, i.account())
	return i
}

// awaitCRDs waits until the API server serves the CRDs, and has published their schemas.
func (i *installed) awaitCRDs(t *testing.T) {
	t.Helper()
	schemas := discovery.NewDiscoveryClientForConfigOrDie(i.Config).OpenAPIV3()
	var last error
	expect.Eventually(t, "the CRDs are served", func(ctx context.Context) (bool, error) {
		_, last = crds.Own(schemas)
		last = errors.Join(last, i.Client.List(ctx, &v1beta1.MCPOIDCConfigList{}))
		for _, kind := range kinds.All {
			last = errors.Join(last, i.Client.List(ctx, kind.EmptyList()))
		}
		return last == nil, nil
	}, func() string { return last.Error() })
}

func (i *installed) apply(t *testing.T, path string) {
	t.Helper()
	if _, err := setup.Kubectl(t.Context(), i.ControlPlane, "apply", "--server-side", "--force-conflicts", "-f", path); err != nil {
		t.Fatal(err)
	}
}

// account is the ServiceAccount of the manager's pods.
func (i *installed) account() string { return i.deployment.Spec.Template.Spec.ServiceAccountName }

type process struct {
	*testenv.Process
	metrics string
}

// manager starts the manager with the flags of its Deployment, and those that a
// process outside of a cluster needs. more is added to its environment.
func (i *installed) manager(t *testing.T, more ...string) *process {
	t.Helper()
	container := i.deployment.Spec.Template.Spec.Containers[0]
	var variables []string
	for _, env := range container.Env {
		variables = append(variables, "$("+env.Name+")", env.Value)
	}
	metrics := testenv.FreeAddress(t)
	var arguments []string
	for _, argument := range container.Args {
		arguments = append(arguments, strings.NewReplacer(variables...).Replace(argument))
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

// listing makes client-go list and then watch, as it does if the API server
// does not support watch-lists.
const listing = "KUBE_FEATURE_WatchListClient=false"

func (p *process) scrape(t *testing.T, token string) int {
	t.Helper()
	status, _, err := testenv.Fetch(t.Context(), "https://"+p.metrics+"/metrics", token)
	expect.NoError(t, err)
	return status
}

// createAll makes one of each kind, whose baseline is not supported.
func createAll(t *testing.T, i *installed, namespace string) []kinds.Object {
	t.Helper()
	i.Create(t, sample.OIDCConfig(namespace, "oidc"))
	all := []kinds.Object{
		sample.Config(namespace, "shared", "admin"),
		sample.Server(namespace, "web", sample.AuthServerRef("shared", "openid", "profile")),
		sample.Proxy(namespace, "remote", sample.AuthServerRef("shared", "openid", "profile")),
		sample.Virtual(namespace, "virtual", sample.AuthServer("admin")),
	}
	for _, object := range all {
		i.Create(t, object)
	}
	return all
}

// evaluateAll does so, and waits until all have their condition, and an event reports it.
func evaluateAll(t *testing.T, i *installed, namespace string) {
	t.Helper()
	for _, object := range createAll(t, i, namespace) {
		testenv.AwaitValid(t, i.Cluster, object, "False")
	}
	awaitEvent(t, i, namespace, "BaselineScopeNotSupported", false)
}

// reconsider makes a server whose baseline is not supported, and waits until it is
// evaluated. So the restarted manager works.
func reconsider(t *testing.T, i *installed, namespace string) {
	t.Helper()
	server := sample.Server(namespace, "another", sample.AuthServerRef("another", "openid"))
	i.Create(t, sample.Config(namespace, "another", "admin"), server)
	testenv.AwaitValid(t, i.Cluster, server, "False")
}

// isNotEvaluated checks that a namespace that is not watched has no condition.
func isNotEvaluated(t *testing.T, i *installed, namespace string) {
	t.Helper()
	server := &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}}
	i.Get(t, server)
	if len(server.Status.Conditions) > 0 {
		t.Errorf("MCPServer %s/web, whose namespace is not watched, has %v", namespace, server.Status.Conditions)
	}
}

// awaitEvent waits for an event, or for one that is repeated.
func awaitEvent(t *testing.T, i *installed, namespace, reason string, repeated bool) {
	t.Helper()
	expect.Eventually(t, "there is an event "+reason+" in "+namespace, func(ctx context.Context) (bool, error) {
		list := &eventsv1.EventList{}
		err := i.Client.List(ctx, list, client.InNamespace(namespace))
		return slices.ContainsFunc(list.Items, func(event eventsv1.Event) bool {
			return event.Reason == reason && (event.Series != nil || !repeated)
		}), err
	})
}

// scraper makes a ServiceAccount that may read the metrics by the shipped role.
func scraper(t *testing.T, i *installed, role string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", GenerateName: "prometheus-"}}
	i.Create(t, account)
	if role != "" {
		i.Create(t, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "prometheus-"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}},
		})
	}
	token, err := i.Token(t.Context(), account.Namespace, account.Name)
	expect.NoError(t, err)
	return token
}

// scrapeMetrics checks that reading the metrics needs the right to do so.
func scrapeMetrics(t *testing.T, i *installed, manager *process) {
	t.Helper()
	allowed := scraper(t, i, "scopegate-metrics-reader")
	expect.Eventually(t, "metrics are served, and the API server knows the binding", func(ctx context.Context) (bool, error) {
		status, _, _ := testenv.Fetch(ctx, "https://"+manager.metrics+"/metrics", allowed)
		return status == http.StatusOK, nil
	})
	if got := manager.scrape(t, scraper(t, i, "")); got != http.StatusForbidden {
		t.Errorf("somebody without the role gets %d, want 403", got)
	}
	if got := manager.scrape(t, ""); got != http.StatusUnauthorized {
		t.Errorf("somebody without a token gets %d, want 401", got)
	}
	i.scraper = allowed
}

// awaitFinding waits until the metric of a policy has a cause; "" is none.
func awaitFinding(t *testing.T, i *installed, manager *process, policy string, cause canary.Cause) {
	t.Helper()
	value := 0
	if cause != "" {
		value = 1
	}
	line := fmt.Sprintf("scopegate_guard_ineffective{cause=%q,policy=%q} %d\n", cause, policy, value)
	expect.Eventually(t, "the manager says "+line, func(ctx context.Context) (bool, error) {
		_, text, err := testenv.Fetch(ctx, "https://"+manager.metrics+"/metrics", i.scraper)
		return strings.Contains(text, line), err
	})
}

// disable lets a policy accept everything, as somebody with the right may.
func disable(t *testing.T, i *installed, name string) {
	t.Helper()
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	edit(t, i, policy, func() {
		for j := range policy.Spec.Validations {
			policy.Spec.Validations[j].Expression = "true"
		}
	})
}
