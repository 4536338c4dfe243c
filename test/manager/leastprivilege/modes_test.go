package leastprivilege_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// TestGuard exercises everything that the guard does: it evaluates, compares and tries
// its policies, reports one that is not effective, serves metrics, stops and cleans up.
func TestGuard(t *testing.T) {
	t.Parallel()
	exerciseGuard(t, install(t, true, filepath.Join(dist, "guard.yaml"), filepath.Join(dist, "guard-start-up.yaml")), "team-c")
}

// TestGuardInNamespaces does the same with Roles in team-a and team-b.
func TestGuardInNamespaces(t *testing.T) {
	t.Parallel()
	exerciseGuard(t, install(t, true, rendered(t, "namespaced-guard"), filepath.Join(dist, "guard-start-up.yaml")))
}

func rendered(t *testing.T, example string) string {
	t.Helper()
	text, err := setup.Tool(t.Context(), "kustomize", "build", "config/examples/"+example)
	expect.NoError(t, err)
	path := filepath.Join(t.TempDir(), "manifest.yaml")
	expect.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func exerciseGuard(t *testing.T, i *installed, more ...string) {
	t.Helper()
	const ineffective, effective = "scopegate-virtualmcpservers", "scopegate-consumers"
	disable(t, i, ineffective)
	manager := i.manager(t)
	for _, namespace := range append([]string{"team-a", "team-b"}, more...) {
		evaluateAll(t, i, namespace)
	}
	if len(more) == 0 {
		createAll(t, i, "team-c")
	}
	scrapeMetrics(t, i, manager)
	awaitFinding(t, i, manager, ineffective, canary.Changed)
	awaitFinding(t, i, manager, effective, "")
	awaitEvent(t, i, "default", "GuardIneffective", false)
	// Another cause repeats the event, for which the manager needs another right.
	i.Delete(t, &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: ineffective}})
	awaitEvent(t, i, "default", "GuardIneffective", true)
	for _, manifest := range i.manifests {
		i.apply(t, manifest)
	}
	awaitFinding(t, i, manager, ineffective, "")
	expect.NoError(t, manager.Stop())

	again := i.manager(t, listing)
	reconsider(t, i, "team-a")
	expect.NoError(t, again.Stop())

	// ToolHive's operator puts this finalizer on every config, and may be gone.
	i.Patch(t, &v1beta1.MCPExternalAuthConfig{ObjectMeta: metav1.ObjectMeta{Namespace: guard.CanaryNamespace, Name: canary.Name}},
		`{"metadata":{"finalizers":["mcpexternalauthconfig.toolhive.stacklok.dev/finalizer"]}}`)
	arguments := []string{"--cleanup", "--kubeconfig=" + i.kubeconfig}
	for _, argument := range i.deployment.Spec.Template.Spec.Containers[0].Args {
		if strings.HasPrefix(argument, "--watch-namespaces") {
			arguments = append(arguments, argument)
		}
	}
	if output, err := i.command(arguments...).CombinedOutput(); err != nil {
		t.Fatalf("cleaning up: %v\n%s", err, output)
	}
	if len(more) == 0 {
		isNotEvaluated(t, i, "team-c")
	}
	i.check(t)
	runsNothing(t, i)
}

// runsNothing checks that nobody can run anything with the manager's token: it may create
// what runs only in the canary's namespace, where the quota or a policy refuses it.
func runsNothing(t *testing.T, i *installed) {
	t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", i.kubeconfig)
	expect.NoError(t, err)
	manager, err := client.New(cfg, client.Options{Scheme: operator.Scheme})
	expect.NoError(t, err)
	for _, file := range []string{"refused-by-quota", "scopegate-consumers", "scopegate-virtualmcpservers"} {
		text, err := config.Files.ReadFile("guard/canary/tried/" + file + ".yaml")
		expect.NoError(t, err)
		objects, err := config.Decode(text)
		expect.NoError(t, err)
		for _, object := range objects {
			for namespace, refusal := range map[string]*regexp.Regexp{
				guard.CanaryNamespace:  regexp.MustCompile("quota: scopegate-canary|ValidatingAdmissionPolicy 'scopegate-"),
				controlplane.Namespace: regexp.MustCompile("cannot create resource"),
				"team-a":               regexp.MustCompile("cannot create resource"),
			} {
				object := object.DeepCopy()
				object.SetNamespace(namespace)
				if err := manager.Create(t.Context(), object); err == nil || !refusal.MatchString(err.Error()) {
					t.Errorf("creating the %s of %s in %s: %v, want %s", object.GetKind(), file, namespace, err, refusal)
				}
			}
		}
	}
}

// TestStandalone exercises everything that standalone mode does: it evaluates, rolls out,
// rolls out again, removes, reports, serves metrics and stops.
func TestStandalone(t *testing.T) {
	t.Parallel()
	exerciseStandalone(t, install(t, false, filepath.Join(dist, "standalone.yaml")))
}

// TestStandaloneInNamespaces does the same with Roles in team-a and team-b.
func TestStandaloneInNamespaces(t *testing.T) {
	t.Parallel()
	i := install(t, false, rendered(t, "namespaced"))
	createAll(t, i, "team-c")
	exerciseStandalone(t, i)
	isNotEvaluated(t, i, "team-c")
}

func exerciseStandalone(t *testing.T, i *installed) {
	t.Helper()
	manager := i.manager(t)
	for _, namespace := range []string{"team-a", "team-b"} {
		evaluateAll(t, i, namespace)
		rollOut(t, i, namespace)
	}
	scrapeMetrics(t, i, manager)
	expect.NoError(t, manager.Stop())
	again := i.manager(t, listing)
	reconsider(t, i, "team-b")
	expect.NoError(t, again.Stop())
	i.check(t)
}

// rollOut repairs the config of a server, which rolls out. Then it changes what
// is rolled out, and removes the reference, which removes the children.
func rollOut(t *testing.T, i *installed, namespace string) {
	t.Helper()
	config := sample.Config(namespace, "shared")
	config.Spec.EmbeddedAuthServer.BaselineClientScopes = nil
	edit(t, i, config, func() { config.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"openid"} })
	server := &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}}
	consumer, _ := resolve.ConsumerOf(server)
	child := metav1.ObjectMeta{Namespace: namespace, Name: rollout.ChildName(consumer)}
	deployment, service := &appsv1.Deployment{ObjectMeta: child}, &corev1.Service{ObjectMeta: child}
	testenv.Await(t, i.Client, service, "is rolled out", func(*corev1.Service) bool { return true })
	before := testenv.Await(t, i.Client, deployment, "is rolled out", func(*appsv1.Deployment) bool { return true })

	edit(t, i, config, func() { config.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"openid", "profile"} })
	testenv.Await(t, i.Client, deployment, "is rolled out again", func(d *appsv1.Deployment) bool { return d.Generation > before.Generation })
	edit(t, i, server, func() { server.Spec.ProxyPort = 9090 })
	testenv.Await(t, i.Client, service, "has the new port", func(s *corev1.Service) bool { return s.Spec.Ports[0].Port == 9090 })

	edit(t, i, server, func() { server.Spec.AuthReferences = v1alpha1.AuthReferences{} })
	testenv.AwaitGone(t, i.Client, deployment)
	testenv.AwaitGone(t, i.Client, service)
	remove(t, i, namespace)
}

func remove(t *testing.T, i *installed, namespace string) {
	t.Helper()
	proxy := &v1beta1.MCPRemoteProxy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "remote"}}
	virtual := &v1beta1.VirtualMCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "virtual"}}
	edit(t, i, virtual, func() { virtual.Spec.AuthServerConfig.BaselineClientScopes = []string{"openid"} })
	for _, object := range []client.Object{proxy, virtual} {
		consumer, _ := resolve.ConsumerOf(object)
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: rollout.ChildName(consumer)}}
		testenv.Await(t, i.Client, deployment, "is rolled out", func(*appsv1.Deployment) bool { return true })
		edit(t, i, object, func() {
			proxy.Spec.AuthReferences = v1alpha1.AuthReferences{}
			virtual.Spec.AuthServerConfig = nil
		})
		testenv.AwaitGone(t, i.Client, deployment)
	}
}

func edit(t *testing.T, i *installed, object client.Object, change func()) {
	t.Helper()
	i.Get(t, object)
	testenv.Edit(t, i.Cluster, object, func(client.Object) { change() })
}
