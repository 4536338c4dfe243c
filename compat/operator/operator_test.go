// Package operator runs ToolHive's own operator beside the guard, on a real API server
// without a node: the operator writes statuses, run configs and Deployments, but no pod
// starts. `make prove SUITE=operator` runs it.
package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/policies"
	"github.com/scopegate/scopegate/test/guard/setup"
)

const releaseVariable = "SCOPEGATE_TOOLHIVE_OPERATOR"

const (
	namespace = "mcp-demo"
	// badScope is in no consumer's scopes, goodScope in those of each.
	badScope, goodScope = "calendar.read", "profile"
	// rounds is the number of edits of each baseline. quiet is how long the test then
	// checks that the guard writes nothing more.
	rounds = 50
	quiet  = 20 * time.Second
)

var manifests = os.DirFS("../../test/e2e/testdata/toolhive")

var (
	auth    = &v1beta1.MCPExternalAuthConfig{ObjectMeta: named("auth")}
	weather = &v1beta1.MCPServer{ObjectMeta: named("weather")}
	tickets = &v1beta1.MCPRemoteProxy{ObjectMeta: named("tickets")}
	office  = &v1beta1.VirtualMCPServer{ObjectMeta: named("office")}

	runConfigs = []string{"office-vmcp-config", "tickets-runconfig", "weather-runconfig"}
)

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

type suite struct {
	*testing.T
	*testenv.Cluster
}

func TestOperator(t *testing.T) {
	version := os.Getenv(releaseVariable)
	if version == "" {
		t.Skipf("it builds ToolHive's operator, in minutes; run it by `make prove SUITE=operator`, which sets %s", releaseVariable)
	}
	setup.DiscardLogs()
	toolHive := release.Find(t, version)
	program := build(t, toolHive)
	cluster := testenv.StartForTest(t, controlplane.Options{CRDs: toolHive.CRDs(t), Guard: true})
	s := &suite{t, cluster}
	// This must come before the operator starts, which would write to the
	// objects that Settle creates.
	expect.NoError(t, setup.Settle(t.Context(), cluster.Client))
	cluster.StartGuard(t)
	run(t, cluster, program)

	// The policies would reject the edits that the condition must report.
	s.Create(s, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{guard.ModeLabel: guard.ModeOff}}})
	for _, object := range release.Objects(t, manifests, ".") {
		s.Create(s, object.Unstructured)
	}
	s.awaitRunConfigs("are there", func(*corev1.ConfigMap) bool { return true })
	s.awaitConditions(metav1.ConditionTrue)
	s.churn()
	s.hold()
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

func run(t *testing.T, cluster *testenv.Cluster, program string) {
	t.Helper()
	command := exec.Command(program, "--metrics-bind-address", "0", "--health-probe-bind-address", "0")
	command.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig, "POD_NAMESPACE="+controlplane.Namespace, "TOOLHIVE_SKIP_UPDATE_CHECK=true",
		"UNSTRUCTURED_LOGS=false", "TOOLHIVE_USE_CONFIGMAP=true", "ENABLE_EXPERIMENTAL_FEATURES=false", "TOOLHIVE_ENABLE_STORAGE_VERSION_MIGRATOR=true",
		"TOOLHIVE_RUNNER_IMAGE=localhost/proxyrunner", "VMCP_IMAGE=localhost/vmcp", "TOOLHIVE_PROXY_HOST=0.0.0.0")
	testenv.StartCommand(t, command)
}

// churn edits baselines and labels while the operator and the guard's manager both write
// statuses. In the end every condition must be right, and the guard must stop writing.
func (s *suite) churn() {
	ctx, stop := context.WithCancel(s.Context())
	defer stop()
	overwritten := s.watchConditions(ctx)
	for round := range rounds {
		scope := goodScope
		if round%2 == 0 {
			scope = badScope
		}
		s.edit(scope)
		for _, object := range []client.Object{auth, weather, tickets, office} {
			expect.NoError(s, s.patch(object, map[string]any{"metadata": map[string]any{"labels": map[string]string{"round": fmt.Sprint(round)}}}))
		}
	}
	s.awaitConditions(metav1.ConditionTrue)
	s.awaitRunConfigs("name the good scope", func(c *corev1.ConfigMap) bool { return !strings.Contains(fmt.Sprint(c.Data), badScope) })
	s.edit(badScope)
	s.awaitConditions(metav1.ConditionFalse)
	s.edit(goodScope)
	s.awaitConditions(metav1.ConditionTrue)
	s.awaitRunConfigs("name the good scope", func(c *corev1.ConfigMap) bool { return !strings.Contains(fmt.Sprint(c.Data), badScope) })

	s.awaitQuiet()
	s.awaitConditions(metav1.ConditionTrue)
	stop()
	s.Logf("churn: %d edits of each baseline; the operator overwrote the guard's entry %d times; every condition is right, and the entries stay for %s", rounds+2, overwritten(), quiet)
}

// hold makes an edit that no policy rejects. Each of the three run configs must stay at
// its last good content until the repair.
func (s *suite) hold() {
	can, err := setup.CanHold(s.Client)
	expect.NoError(s, err)
	if !can {
		s.Log("hold: this API server has no MutatingAdmissionPolicy")
		return
	}
	all := policies.Load()
	expect.NoError(s, setup.SetMode(s.Context(), s.Client, namespace, guard.ModeDeny))
	err = setup.AwaitRefusal(s.Context(), guard.VirtualMCPServersPolicy, func() error { return s.tryEdit(badScope, client.DryRunAll) })
	expect.NoError(s, err)
	for _, policy := range guard.ValidatingPolicies {
		if policy == guard.RunConfigsPolicy {
			continue
		}
		for _, binding := range all.Objects(policy)[1:] {
			expect.NoError(s, s.Client.Delete(s.Context(), binding))
		}
	}
	good := s.data()
	// The API server notices the deleted bindings a moment later.
	expect.Eventually(s, "nothing refuses the edit", func(context.Context) (bool, error) {
		err := s.tryEdit(badScope)
		if _, refused := setup.AsRefusal(err); refused {
			return false, nil
		}
		return err == nil, err
	})
	s.awaitRunConfigs("are held", func(c *corev1.ConfigMap) bool { return c.Labels[guard.HeldLabel] == "true" })
	s.awaitConditions(metav1.ConditionFalse)
	expect.Equal(s, "what is held", good, s.data())
	s.edit("offline_access")
	s.awaitRunConfigs("go on", func(c *corev1.ConfigMap) bool {
		return c.Labels[guard.HeldLabel] == "" && fmt.Sprint(c.Data) != good[c.Name]
	})
	s.awaitConditions(metav1.ConditionTrue)
	s.Logf("hold: %d run configs were held, and went on after the repair", len(runConfigs))
}

func (s *suite) edit(scope string) {
	s.Helper()
	expect.NoError(s, s.tryEdit(scope))
}

func (s *suite) tryEdit(scope string, options ...client.PatchOption) error {
	config := map[string]any{"baselineClientScopes": []string{"openid", scope}}
	if err := s.patch(office, map[string]any{"spec": map[string]any{"authServerConfig": config}}, options...); err != nil {
		return err
	}
	return s.patch(auth, map[string]any{"spec": map[string]any{"embeddedAuthServer": config}}, options...)
}

func (s *suite) patch(object client.Object, content map[string]any, options ...client.PatchOption) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return s.Client.Patch(s.Context(), object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, text), options...)
}

func (s *suite) awaitConditions(want metav1.ConditionStatus) {
	s.Helper()
	awaitCondition(s, auth, want)
	awaitCondition(s, weather, want)
	awaitCondition(s, tickets, want)
	awaitCondition(s, office, want)
}

func awaitCondition[T status.Object](s *suite, object T, want metav1.ConditionStatus) {
	s.Helper()
	testenv.Await(s.T, s.Client, object, "says "+string(want), func(seen T) bool {
		found := testenv.Valid(seen)
		return found.Status == want && found.ObservedGeneration == seen.GetGeneration()
	})
}

func (s *suite) awaitRunConfigs(what string, ok func(*corev1.ConfigMap) bool) {
	s.Helper()
	for _, name := range runConfigs {
		testenv.Await(s.T, s.Client, &corev1.ConfigMap{ObjectMeta: named(name)}, what, ok)
	}
}

func (s *suite) data() map[string]string {
	s.Helper()
	found := map[string]string{}
	for _, name := range runConfigs {
		configMap := &corev1.ConfigMap{}
		expect.NoError(s, s.Client.Get(s.Context(), client.ObjectKey{Namespace: namespace, Name: name}, configMap))
		found[name] = fmt.Sprint(configMap.Data)
	}
	return found
}

// awaitQuiet waits until the guard's entries stay the same for quiet. The operator may
// still overwrite one after the last edit, so it tries a few times.
func (s *suite) awaitQuiet() {
	s.Helper()
	before := s.entries()
	for range 3 {
		select {
		case <-time.After(quiet):
		case <-s.Context().Done():
		}
		after := s.entries()
		if equality.Semantic.DeepEqual(before, after) {
			return
		}
		s.Logf("an entry has changed while nothing was edited: %v, then %v", before, after)
		before = after
	}
	s.Fatal("the guard's entries do not stay the same while nothing is edited")
}

func (s *suite) entries() []metav1.Condition {
	s.Helper()
	var found []metav1.Condition
	for _, object := range []status.Object{auth, weather, tickets, office} {
		seen := object.DeepCopyObject().(status.Object)
		expect.NoError(s, s.Client.Get(s.Context(), client.ObjectKeyFromObject(object), seen))
		found = append(found, testenv.Valid(seen))
	}
	return found
}

// watchConditions counts how often an object has lost the guard's entry, until ctx is done.
func (s *suite) watchConditions(ctx context.Context) func() int {
	s.Helper()
	var count atomic.Int64
	var group sync.WaitGroup
	for _, list := range []client.ObjectList{&v1beta1.MCPExternalAuthConfigList{}, &v1beta1.MCPServerList{}, &v1beta1.MCPRemoteProxyList{}, &v1beta1.VirtualMCPServerList{}} {
		watcher, err := s.Client.Watch(ctx, list, client.InNamespace(namespace))
		expect.NoError(s, err)
		group.Go(func() {
			had := map[string]bool{}
			for event := range watcher.ResultChan() {
				object, ok := event.Object.(status.Object)
				if !ok {
					continue
				}
				has := testenv.Valid(object).Type != ""
				if had[object.GetName()] && !has {
					count.Add(1)
				}
				had[object.GetName()] = has
			}
		})
	}
	return func() int {
		group.Wait()
		return int(count.Load())
	}
}
