package packaging_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	guardsetup "github.com/scopegate/scopegate/test/guard/setup"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// newTeam makes a namespace in a mode with consumers of each kind, which also have a
// condition of ToolHive's operator. The baselines of some were bad before the guard came.
func newTeam(t *testing.T, cluster *testenv.Cluster, mode string) string {
	t.Helper()
	namespace, err := guardsetup.Namespace(t.Context(), cluster.Client, mode)
	expect.NoError(t, err)
	server := func(baseline string) *v1alpha1.EmbeddedAuthServerConfig {
		config := sample.AuthServer(baseline)
		config.UpstreamProviders[0].OIDCConfig.ClientID = "client"
		return config
	}
	for name, baseline := range map[string]string{"good": "openid", "bad": "admin"} {
		config := sample.Config(namespace, name)
		config.Spec.EmbeddedAuthServer = server(baseline)
		refs := sample.AuthServerRef(name, "openid", "mcp:read")
		objects := []kinds.Object{config, sample.Server(namespace, name, refs), sample.Proxy(namespace, name+"-proxy", refs),
			sample.Virtual(namespace, name+"-virtual", server(baseline), "openid", "mcp:read")}
		for _, object := range objects {
			cluster.Create(t, object)
			object.GetStatus().Conditions = []metav1.Condition{{
				Type: "Valid", Status: metav1.ConditionTrue, Reason: "ToolHive", LastTransitionTime: metav1.Now(),
			}}
			expect.NoError(t, cluster.Client.Status().Update(t.Context(), object, client.FieldOwner("thv-operator")))
		}
	}
	return namespace
}

// awaitRejecting waits until the API server rejects a bad VirtualMCPServer in a
// namespace, or admits it.
func awaitRejecting(t *testing.T, cluster *testenv.Cluster, namespace string, want bool) {
	t.Helper()
	quiet := cluster.WithoutWarnings(t)
	expect.Eventually(t, "the edit is as the mode says", func(ctx context.Context) (bool, error) {
		err := quiet.Create(ctx, sample.Virtual(namespace, "new", sample.AuthServer("admin"), "openid"), client.DryRunAll)
		if _, refused := guardsetup.AsRefusal(err); refused || err == nil {
			return refused == want, nil
		}
		return false, err
	})
}

// documented runs the commands of docs/how-to/upgrade.md below a heading.
func documented(t *testing.T, cluster *testenv.Cluster, current release, heading string) {
	t.Helper()
	_, section, found := strings.Cut(expect.ReadFile(t, setup.Root+"/docs/how-to/upgrade.md"), "# "+heading+"\n")
	_, block, open := strings.Cut(section, "```sh\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !open || !closed {
		t.Fatalf("docs/how-to/upgrade.md has no commands below %q", heading)
	}
	for line := range strings.Lines(block) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.ReplaceAll(strings.TrimPrefix(line, "kubectl "), "dist/", current.dist+"/")
		kubectl(t, cluster, strings.Fields(line)...)
	}
}

// TestUpgradeGuard upgrades the guard from one release to the next and back by the
// documented commands, and removes it. The condition of no object is lost, and nothing of
// a release stays that should not.
func TestUpgradeGuard(t *testing.T) {
	t.Parallel()
	previous, current := releases(t)
	cluster := takeCluster(t)
	warns, rejects := newTeam(t, cluster, ""), newTeam(t, cluster, guard.ModeEnforce)

	type step struct {
		what string
		of   release
	}
	steps := []step{{"installed", previous}, {"upgraded", current}, {"downgraded", previous}, {"upgraded again", current}}
	if previous == current {
		// Only the downgrade does something else than to install again.
		steps = []step{steps[0], steps[2]}
	}
	var manager lifetime
	var before state
	for i, step := range steps {
		if step.what == "downgraded" {
			documented(t, cluster, current, "Downgrade")
		}
		apply := []string{"apply", "--server-side"}
		for _, file := range []string{"guard", "guard-start-up"} {
			apply = append(apply, "-f", filepath.Join(step.of.dist, file+".yaml"))
		}
		kubectl(t, cluster, apply...)
		if i > 0 {
			expect.NoError(t, manager.Stop())
		}
		manager = run(t, cluster, step.of, "scopegate-guard")
		manager.settle(t)
		awaitRejecting(t, cluster, warns, false)
		awaitRejecting(t, cluster, rejects, true)
		now := stateIn(t, cluster, warns, rejects)
		if i == 0 {
			before = now
		}
		before.expectSame(t, step.what, now)
	}
	await(t, cluster, guard.ModeWarn, nil)

	removeGuard(t, cluster, current, manager)
	for key := range before.conditions {
		if strings.HasSuffix(key, v1alpha1.ConditionBaselineScopesValid) {
			delete(before.conditions, key)
		}
	}
	before.expectSame(t, "removed", stateIn(t, cluster, warns, rejects))
	kubectl(t, cluster, "label", "namespace", rejects, guard.ModeLabel+"-")
	remains, err := left(t, cluster)
	expect.NoError(t, err)
	if len(remains) > 0 {
		t.Errorf("what is left: %q", remains)
	}
}

// removeGuard removes the guard as docs/how-to/remove.md says.
func removeGuard(t *testing.T, cluster *testenv.Cluster, of release, manager lifetime) {
	t.Helper()
	kubectl(t, cluster, "--namespace", controlplane.Namespace, "scale", "deployment", "scopegate-guard", "--replicas=0")
	expect.NoError(t, manager.Stop())
	// ToolHive's operator would remove this finalizer, but it may be gone.
	kubectl(t, cluster, "--namespace", guard.CanaryNamespace, "patch", "mcpexternalauthconfig", "scopegate-canary", "--type=merge",
		`--patch={"metadata":{"finalizers":["mcpexternalauthconfig.toolhive.stacklok.dev/finalizer"]}}`)
	kubectl(t, cluster, "replace", "--force", "-f", filepath.Join(of.dist, "guard-cleanup.yaml"))
	job := &batchv1.Job{}
	expect.NoError(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: controlplane.Namespace, Name: "scopegate-guard-cleanup"}, job))
	runPod(t, cluster, of, job.Spec.Template.Spec).AwaitLog(t, "the guard's manifest can be deleted now")
	kubectl(t, cluster, "delete", "--ignore-not-found", "-f", filepath.Join(of.dist, "guard-start-up.yaml"), "-f", filepath.Join(of.dist, "guard.yaml"))
}
