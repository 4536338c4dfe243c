package packaging_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	guardsetup "github.com/scopegate/scopegate/test/guard/setup"
)

// mode is what the guard does in a namespace.
type mode struct{ denies, holds bool }

// team is a namespace with consumers of each kind. The baseline of some is good, that
// of others was bad before the guard came. The run configs of the third, the late ones,
// are still good, because ToolHive's operator did not see the bad baseline yet.
type team struct {
	cluster   *testenv.Cluster
	namespace string
	// versions are the resourceVersions of the good run configs.
	versions map[string]string
	// late is what became of the late run configs.
	late lateness
}

type lateness string

const (
	unwritten lateness = ""
	held      lateness = "held"
	released  lateness = "released"
	corrected lateness = "corrected"
)

// baselines are those in the specs. Every consumer supports scopes.
var baselines, scopes = map[string]string{"good": "openid", "bad": "admin", "late": "admin"}, []string{"openid", "mcp:read"}

// operator is the field manager of the test, which plays ToolHive's operator.
const operator = client.FieldOwner("thv-operator")

func newTeam(t *testing.T, cluster *testenv.Cluster, mode string) *team {
	t.Helper()
	namespace, err := guardsetup.Namespace(t.Context(), cluster.Client, mode)
	expect.NoError(t, err)
	team := &team{cluster: cluster, namespace: namespace, versions: map[string]string{}}
	server := func(baseline ...string) *v1alpha1.EmbeddedAuthServerConfig {
		config := testenv.AuthServer(baseline...)
		config.UpstreamProviders[0].OIDCConfig.ClientID = "client"
		return config
	}
	for name, baseline := range baselines {
		config := testenv.Config(namespace, name)
		config.Spec.EmbeddedAuthServer = server(baseline)
		refs := testenv.AuthServerRef(name, scopes...)
		objects := []status.Object{config, testenv.Server(namespace, name, refs), testenv.Proxy(namespace, name+"-proxy", refs),
			testenv.Virtual(namespace, name+"-virtual", server(baseline), scopes...)}
		for _, object := range objects {
			cluster.Create(t, object)
			object.GetStatus().Conditions = []metav1.Condition{{
				Type: "Valid", Status: metav1.ConditionTrue, Reason: "ToolHive", LastTransitionTime: metav1.Now(),
			}}
			expect.NoError(t, cluster.Client.Status().Update(t.Context(), object, operator))
		}
	}
	for _, name := range runConfigs {
		baseline := "openid"
		if strings.HasPrefix(name, "bad") {
			baseline = "admin"
		}
		runConfig := team.runConfig(name, baseline)
		cluster.Create(t, runConfig)
		team.versions[name] = runConfig.ResourceVersion
	}
	return team
}

// runConfigs are the names of the ConfigMaps that ToolHive's operator writes.
var runConfigs = []string{
	"good-runconfig", "good-proxy-runconfig", "good-virtual-vmcp-config", "bad-runconfig", "bad-proxy-runconfig", "bad-virtual-vmcp-config",
	"late-runconfig", "late-proxy-runconfig", "late-virtual-vmcp-config",
}

// runConfig is a ConfigMap as ToolHive's operator writes it.
func (m *team) runConfig(name, baseline string) *corev1.ConfigMap {
	if server, virtual := strings.CutSuffix(name, "-vmcp-config"); virtual {
		return guardsetup.AuthServerConfig(m.namespace, server, baseline)
	}
	runConfig := guardsetup.RunConfig(m.namespace, strings.TrimSuffix(name, "-runconfig"), baseline)
	if strings.HasSuffix(name, "-proxy-runconfig") {
		runConfig.OwnerReferences[0].Kind = resolve.KindMCPRemoteProxy
	}
	return runConfig
}

// await waits until the API server does what is wanted: it has no event for that.
func (m *team) await(t *testing.T, want mode) {
	t.Helper()
	quiet, got := m.cluster.WithoutWarnings(t), mode{}
	expect.Eventually(t, fmt.Sprintf("the guard is %+v", want), func(ctx context.Context) (bool, error) {
		created := []client.Object{
			m.runConfig("new-runconfig", "admin"), testenv.Server(m.namespace, "new", testenv.AuthServerRef("bad", "openid")),
			testenv.Virtual(m.namespace, "new", testenv.AuthServer("admin"), "openid"),
		}
		denied := 0
		for _, object := range created {
			err := quiet.Create(ctx, object, client.DryRunAll)
			if _, refused := guardsetup.AsRefusal(err); refused {
				denied++
			} else if err != nil {
				return false, err
			}
		}
		update := m.runConfig("good-runconfig", "admin")
		err := quiet.Update(ctx, update, client.DryRunAll)
		got = mode{denied == len(created), update.Labels[guard.HeldLabel] != ""}
		return got == want && (denied > 0) == want.denies, err
	}, func() string { return fmt.Sprintf("it is %+v", got) })
}

// write has ToolHive's operator write every run config, as it does in each reconcile,
// and checks what is stored then, and what the conditions say. It writes the late ones
// from the moment at which they are held.
func (m *team) write(t *testing.T, what string, holds bool) {
	t.Helper()
	switch {
	case holds && m.late == unwritten:
		m.late = held
	case !holds && m.late == held:
		m.late = released
	}
	for _, name := range runConfigs {
		which, _, _ := strings.Cut(name, "-")
		if which == "late" && m.late == unwritten {
			continue
		}
		written := m.runConfig(name, baselines[which])
		if which == "late" && m.late == corrected {
			written = m.runConfig(name, "mcp:read")
		}
		want := written.DeepCopy()
		if which == "late" && m.late == held {
			want = m.runConfig(name, "openid")
			want.Labels[guard.HeldLabel] = "true"
		}
		expect.NoError(t, m.cluster.Client.Update(t.Context(), written, operator))
		where := fmt.Sprintf("%s: %s/%s: ", what, m.namespace, name)
		expect.Equal(t, where+"labels", want.Labels, written.Labels)
		expect.Equal(t, where+"annotations", want.Annotations, written.Annotations)
		expect.Equal(t, where+"data", want.Data, written.Data)
		if which == "good" && written.ResourceVersion != m.versions[name] {
			t.Errorf("%sit was rewritten", where)
		}
	}
	for kind, objects := range all(t, m.cluster, m.namespace) {
		for _, object := range objects {
			if kind == resolve.KindMCPExternalAuthConfig {
				continue
			}
			want := m.late == held && strings.HasPrefix(object.GetName(), "late")
			testenv.Await(t, m.cluster.Client, object, fmt.Sprintf("is reported as held: %t", want), func(seen status.Object) bool {
				return strings.HasPrefix(testenv.Valid(seen).Message, "held: ") == want
			})
		}
	}
}

// correct edits the baseline of the late consumers, as the page on the removal demands
// first.
func (m *team) correct(t *testing.T) {
	t.Helper()
	config := &v1beta1.MCPExternalAuthConfig{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: "late"}}
	m.cluster.Patch(t, config, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["mcp:read"]}}}`)
	virtual := &v1beta1.VirtualMCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: "late-virtual"}}
	m.cluster.Patch(t, virtual, `{"spec":{"authServerConfig":{"baselineClientScopes":["mcp:read"]}}}`)
	m.late = corrected
	m.write(t, "corrected", true)
	testenv.AwaitValid(t, m.cluster, config, "True")
	testenv.AwaitValid(t, m.cluster, virtual, "True")
}

// TestUpgradeGuard goes through the manifests of the guard, from release to release
// and from mode to mode and back, while run configs are held, and removes it. Each step
// is as the documents say.
func TestUpgradeGuard(t *testing.T) {
	t.Parallel()
	previous, current := releases(t)
	cluster := testenv.StartForTest(t, controlplane.Options{Bare: true})
	can, err := guardsetup.CanHold(cluster.Client)
	expect.NoError(t, err)
	kubectl(t, cluster, "apply", "--server-side", "--field-manager=helm", "-f", toolhiveCRDs(t))
	expect.Eventually(t, "ToolHive's kinds are served", func(ctx context.Context) (bool, error) {
		for _, list := range lists() {
			if err := cluster.Client.List(ctx, list); err != nil {
				return false, nil // There is no event for it.
			}
		}
		return true, nil
	})
	expect.NoError(t, cluster.StartControllers("namespace-controller", nil))
	warns, denies := newTeam(t, cluster, ""), newTeam(t, cluster, guard.ModeDeny)

	var (
		manager lifetime
		runs    *release
		before  state
		files   []string
	)
	for i, step := range []struct {
		of            *release
		files         string
		warns, denies mode
	}{
		{&previous, "guard", mode{}, mode{true, false}},
		{&previous, "guard guard-hold", mode{}, mode{true, true}},
		{&current, "guard guard-hold", mode{}, mode{true, true}},
		{&current, "guard-deny guard-hold", mode{true, false}, mode{true, true}},
		{&current, "guard-deny guard-hold-deny", mode{true, true}, mode{true, true}},
		{&previous, "guard-deny guard-hold-deny", mode{true, true}, mode{true, true}},
		{&current, "guard-deny guard-hold-deny", mode{true, true}, mode{true, true}},
		{&current, "guard-deny guard-hold", mode{true, false}, mode{true, true}},
		{&current, "guard guard-hold", mode{}, mode{true, true}},
	} {
		what := fmt.Sprintf("%d. %s", i+1, step.files)
		files = nil
		for _, file := range append(strings.Fields(step.files), "guard-start-up") {
			path := filepath.Join(step.of.dist, file+".yaml")
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				kubectl(t, cluster, "delete", "--ignore-not-found", "-f", filepath.Join(current.dist, file+".yaml"))
			} else if can || !strings.Contains(file, "hold") {
				kubectl(t, cluster, "apply", "--server-side", "-f", path)
				files = append(files, path)
			}
		}
		if runs != step.of {
			if runs != nil {
				expect.NoError(t, manager.Stop())
			}
			manager, runs = run(t, cluster, *step.of, "scopegate-guard"), step.of
			manager.settle(t)
		}
		step.warns.holds, step.denies.holds = step.warns.holds && can, step.denies.holds && can
		warns.await(t, step.warns)
		denies.await(t, step.denies)
		warns.write(t, what, step.warns.holds)
		denies.write(t, what, step.denies.holds)
		now := stateIn(t, cluster, warns.namespace, denies.namespace)
		if i == 0 {
			before = now
		}
		before.expectSame(t, what, now)
	}
	if can {
		denies.correct(t)
	}
	before = stateIn(t, cluster, warns.namespace, denies.namespace)
	count := len(before.conditions)
	removeGuard(t, cluster, current, manager, files)
	for key := range before.conditions {
		if strings.HasSuffix(key, v1alpha1.ConditionBaselineScopesValid) {
			delete(before.conditions, key)
		}
	}
	before.expectSame(t, "removed", stateIn(t, cluster, warns.namespace, denies.namespace))
	for _, namespace := range []string{warns.namespace, denies.namespace} {
		kubectl(t, cluster, "label", "namespace", namespace, guard.ModeLabel+"-")
	}
	remains, err := left(t, cluster)
	expect.NoError(t, err)
	if len(remains) > 0 {
		t.Errorf("what is left: %q", remains)
	}
	if !t.Failed() {
		t.Logf("R9: guard: %d run configs, the late ones held: %t; 0 good ones rewritten, 0 held ones changed, 0 of %d conditions lost, 0 objects left", 2*len(runConfigs), can, count)
	}
}

// removeGuard removes the guard with the files that it was installed from.
func removeGuard(t *testing.T, cluster *testenv.Cluster, of release, manager lifetime, files []string) {
	t.Helper()
	kubectl(t, cluster, "--namespace", controlplane.Namespace, "scale", "deployment", "scopegate-guard", "--replicas=0")
	expect.NoError(t, manager.Stop())
	kubectl(t, cluster, "apply", "-f", filepath.Join(of.dist, "guard-cleanup.yaml"))
	job := &batchv1.Job{}
	expect.NoError(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: controlplane.Namespace, Name: "scopegate-guard-cleanup"}, job))
	runPod(t, cluster, of, job.Spec.Template.Spec).AwaitLog(t, "the guard's manifest can be deleted now")
	arguments := []string{"delete", "--ignore-not-found"}
	for _, file := range slices.Backward(files) {
		arguments = append(arguments, "-f", file)
	}
	kubectl(t, cluster, arguments...)
}
