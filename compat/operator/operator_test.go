// Package operator runs ToolHive's own operator beside the guard's manager, on a real
// API server without a node: pods are created and stay pending, or are not created.
// `make prove SUITE=operator` and `make prove SUITE=race` run it.
package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

const releaseVariable = "SCOPEGATE_TOOLHIVE_OPERATOR"

const (
	// badScope is in no consumer's scopes, goodScope in those of each.
	badScope, goodScope = "calendar.read", "profile"
	// rounds is the number of edits of each baseline. quiet is how long the test then
	// checks that nothing more is written.
	rounds = 50
	quiet  = 20 * time.Second
)

var manifests = os.DirFS("../../test/e2e/testdata/toolhive")

type suite struct {
	*testenv.Cluster
	// t is of the whole test: what a subtest starts by it goes on after the subtest.
	t     *testing.T
	watch *watcher
	// program is the guard's manager, and manager its process.
	program string
	manager *testenv.Process
	// metrics is the address of the metrics of ToolHive's operator.
	metrics string
}

func TestOperator(t *testing.T) {
	version := os.Getenv(releaseVariable)
	if version == "" {
		t.Skipf("it builds ToolHive's operator, in minutes; run it by `make prove SUITE=operator`, which sets %s", releaseVariable)
	}
	setup.DiscardLogs()
	toolHive := release.Find(t, version)
	program := build(t, toolHive)
	s := start(t, controlplane.Options{CRDs: toolHive.CRDs(t), Guard: true, Controllers: controlplane.Workloads})
	// This must come before the operator starts, which would write to the
	// objects that Settle creates.
	expect.NoError(t, setup.Settle(t.Context(), s.Client))
	s.removeConsumers(t)
	s.startManager()
	s.metrics = testenv.FreeAddress(t)
	s.startOperator(t, program)
	t.Run("churn", s.churn)
	t.Run("race", s.race)
	t.Run("quiet", s.operatorIsQuiet)
	t.Run("manager away", s.managerAway)
	t.Run("API server restarted", s.restarts)
}

// start starts a control plane with the policies.
func start(t *testing.T, options controlplane.Options) *suite {
	t.Helper()
	plane, err := controlplane.Start(t.Context(), options)
	expect.NoError(t, err)
	t.Cleanup(func() { expect.NoError(t, plane.Stop()) })
	admin, err := client.NewWithWatch(plane.Config, client.Options{Scheme: operator.Scheme})
	expect.NoError(t, err)
	s := &suite{t: t, Cluster: &testenv.Cluster{ControlPlane: plane, Client: admin}, program: testenv.BuildManager(t)}
	s.watch = startWatcher(t, s.Cluster)
	return s
}

// removeConsumers deletes all consumers: ToolHive's operator would retry those of Settle,
// whose MCPOIDCConfig does not exist.
func (s *suite) removeConsumers(t *testing.T) {
	t.Helper()
	for _, list := range []client.ObjectList{&v1beta1.MCPServerList{}, &v1beta1.MCPRemoteProxyList{}, &v1beta1.VirtualMCPServerList{}} {
		expect.NoError(t, s.Client.List(t.Context(), list))
		expect.NoError(t, meta.EachListItem(list, func(object runtime.Object) error {
			return s.Client.Delete(t.Context(), object.(client.Object))
		}))
	}
}

// startManager starts the guard's manager as it is shipped, with only its own rights.
func (s *suite) startManager() {
	s.t.Helper()
	path := s.KubeconfigOf(s.t, controlplane.Namespace, "scopegate-guard")
	s.manager = testenv.StartProcess(s.t, s.program, "--kubeconfig", path, "--mode", guard.ModeWarn, "--namespace", controlplane.Namespace,
		"--leader-elect", "--leader-election-namespace", controlplane.Namespace, "--metrics-bind-address", "0", "--health-probe-bind-address", "0")
}

func build(t *testing.T, toolHive release.Release) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "thv-operator")
	command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", //nolint:gosec // A release of compat/release.
		"-s -w -X github.com/stacklok/toolhive/pkg/versions.Version="+toolHive.Version, "-o", program, "./cmd/thv-operator")
	command.Dir = toolHive.Folder(t)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	expect.Output(t, command)
	return program
}

func (s *suite) startOperator(t *testing.T, program string) {
	t.Helper()
	command := exec.Command(program, "--metrics-bind-address", s.metrics, "--health-probe-bind-address", "0") //nolint:gosec // Our own program.
	command.Env = append(os.Environ(), "KUBECONFIG="+s.Kubeconfig, "POD_NAMESPACE="+controlplane.Namespace, "TOOLHIVE_SKIP_UPDATE_CHECK=true",
		"UNSTRUCTURED_LOGS=false", "TOOLHIVE_USE_CONFIGMAP=true", "ENABLE_EXPERIMENTAL_FEATURES=false", "TOOLHIVE_ENABLE_STORAGE_VERSION_MIGRATOR=true",
		"TOOLHIVE_RUNNER_IMAGE=localhost/proxyrunner", "VMCP_IMAGE=localhost/vmcp", "TOOLHIVE_PROXY_HOST=0.0.0.0")
	testenv.StartCommand(t, command)
}

// team is a namespace with the objects of the manifests.
type team struct {
	*suite
	namespace string
	auth      *v1beta1.MCPExternalAuthConfig
	weather   *v1beta1.MCPServer
	tickets   *v1beta1.MCPRemoteProxy
	office    *v1beta1.VirtualMCPServer
}

// newTeam creates a namespace in a mode, with the objects of the manifests.
func (s *suite) newTeam(t *testing.T, mode string) *team {
	t.Helper()
	namespace, err := setup.Namespace(t.Context(), s.Client, mode)
	expect.NoError(t, err)
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	for _, object := range release.Objects(t, manifests, ".") {
		object.SetNamespace(namespace)
		s.Create(t, object.Unstructured)
	}
	return &team{
		s, namespace, &v1beta1.MCPExternalAuthConfig{ObjectMeta: named("auth")}, &v1beta1.MCPServer{ObjectMeta: named("weather")},
		&v1beta1.MCPRemoteProxy{ObjectMeta: named("tickets")}, &v1beta1.VirtualMCPServer{ObjectMeta: named("office")},
	}
}

func (tm *team) objects() []kinds.Object {
	return []kinds.Object{tm.auth, tm.weather, tm.tickets, tm.office}
}

// patch sends a merge patch of the spec or the metadata of an object.
func (s *suite) patch(ctx context.Context, object client.Object, path string, value any) error {
	content := value
	keys := strings.Split(path, ".")
	for i := len(keys) - 1; i >= 0; i-- {
		content = map[string]any{keys[i]: content}
	}
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return s.Client.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, text))
}

// churn edits baselines and labels while the operator and the guard's manager both write
// statuses. In the end every condition must be right, and the guard must stop writing.
func (s *suite) churn(t *testing.T) {
	// The policies would reject the edits that the condition must report.
	tm := s.newTeam(t, guard.ModeOff)
	tm.awaitRunConfigs(t, "are there", func(*corev1.ConfigMap) bool { return true })
	tm.awaitConditions(t, metav1.ConditionTrue)
	for round := range rounds {
		scope := goodScope
		if round%2 == 0 {
			scope = badScope
		}
		tm.edit(t, scope)
		for _, object := range tm.objects() {
			expect.NoError(t, s.patch(t.Context(), object, "metadata.labels.round", fmt.Sprint(round)))
		}
	}
	tm.awaitConditions(t, metav1.ConditionTrue)
	tm.edit(t, badScope)
	tm.awaitConditions(t, metav1.ConditionFalse)
	tm.edit(t, goodScope)
	tm.awaitConditions(t, metav1.ConditionTrue)
	tm.awaitRunConfigs(t, "name the good scope", func(c *corev1.ConfigMap) bool { return !strings.Contains(fmt.Sprint(c.Data), badScope) })

	tm.awaitQuiet(t)
	tm.awaitConditions(t, metav1.ConditionTrue)
	t.Logf("churn: %d edits of each baseline; every condition is right, and the entries stay for %s", rounds+2, quiet)
}

func (tm *team) edit(t *testing.T, scope string) {
	t.Helper()
	baseline := []string{"openid", scope}
	expect.NoError(t, tm.patch(t.Context(), tm.office, "spec.authServerConfig.baselineClientScopes", baseline))
	expect.NoError(t, tm.patch(t.Context(), tm.auth, "spec.embeddedAuthServer.baselineClientScopes", baseline))
}

func (tm *team) awaitConditions(t *testing.T, want metav1.ConditionStatus) {
	t.Helper()
	for _, object := range tm.objects() {
		testenv.Await(t, tm.Client, object, "says "+string(want), func(seen kinds.Object) bool {
			found := testenv.Valid(seen)
			return found.Status == want && found.ObservedGeneration == seen.GetGeneration()
		})
	}
}

func (tm *team) awaitRunConfigs(t *testing.T, what string, ok func(*corev1.ConfigMap) bool) {
	t.Helper()
	for _, name := range []string{"office-vmcp-config", "tickets-runconfig", "weather-runconfig"} {
		testenv.Await(t, tm.Client, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: tm.namespace, Name: name}}, what, ok)
	}
}

// awaitQuiet waits until the guard's entries stay the same for quiet. The operator may
// still overwrite one after the last edit, so it tries a few times.
func (tm *team) awaitQuiet(t *testing.T) {
	t.Helper()
	before := tm.entries(t)
	for range 3 {
		pause(t, quiet)
		after := tm.entries(t)
		if equality.Semantic.DeepEqual(before, after) {
			return
		}
		t.Logf("an entry has changed while nothing was edited: %v, then %v", before, after)
		before = after
	}
	t.Fatal("the guard's entries do not stay the same while nothing is edited")
}

func pause(t *testing.T, duration time.Duration) {
	t.Helper()
	select {
	case <-time.After(duration):
	case <-t.Context().Done():
	}
}

func (tm *team) entries(t *testing.T) []metav1.Condition {
	t.Helper()
	var found []metav1.Condition
	for _, object := range tm.objects() {
		seen := object.DeepCopyObject().(kinds.Object)
		expect.NoError(t, tm.Client.Get(t.Context(), client.ObjectKeyFromObject(object), seen))
		found = append(found, testenv.Valid(seen))
	}
	return found
}
