package plugin_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/inventory/tree"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/reliability/faults"
)

// objects returns two teams' configs and consumers, one of every kind and
// verdict.
func objects() []client.Object {
	a, b := "team-a", "team-b"
	return []client.Object{
		namespace(a, nil), namespace(b, nil),
		sample.Config(a, "shared", "openid", "offline_access"),
		sample.Config(a, "unused", "admin"),
		sample.OutgoingConfig(a, "outgoing"),
		sample.OIDCConfig(a, "oidc"), sample.OIDCConfig(b, "oidc"),
		sample.Server(a, "good", sample.AuthServerRef("shared", "openid", "offline_access")),
		sample.Server(a, "bad", sample.AuthServerRef("shared", "openid", "offline-access")),
		sample.Server(a, "lost", sample.AuthServerRef("gone")),
		sample.Server(a, "without", sample.ExternalAuthConfigRef("outgoing")),
		sample.Proxy(a, "docs", sample.ExternalAuthConfigRef("shared")),
		sample.Virtual(b, "hub", sample.AuthServer("openid"), "openid", "a", "b", "c", "d"),
		sample.Virtual(b, "defaults", sample.AuthServer("admin", "root")),
		sample.Virtual(b, "plain", nil),
	}
}

// TestStandalone shows the tree before a manager ran and with one.
func TestStandalone(t *testing.T) {
	standalone.Create(t, objects()...)
	outright := sample.Config("team-b", "outright", "admin")
	outright.Spec.EmbeddedAuthServer.ScopesSupported = []string{"admin"}
	standalone.Create(t, outright)

	golden(t, "standalone-not-evaluated.txt", succeed(t, standalone, "tree", "-A"))
	// The flag's file counts, and not the environment's. The context has a namespace.
	loaded, err := clientcmd.LoadFromFile(standalone.Kubeconfig)
	expect.NoError(t, err)
	loaded.Contexts[loaded.CurrentContext].Namespace = "team-b"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	expect.NoError(t, clientcmd.WriteToFile(*loaded, path))
	expect.Equal(t, "tree", succeed(t, standalone, "tree", "-n", "team-b"), succeed(t, guarded, "tree", "--kubeconfig", path))
	standalone.StartStandalone(t, nil)
	awaitEvaluated(t)
	golden(t, "standalone.txt", succeed(t, standalone, "tree", "-A"))
	golden(t, "standalone-wide.txt", succeed(t, standalone, "tree", "-n", "team-a", "-o", "wide"))
	golden(t, "standalone.json", succeed(t, standalone, "tree", "-n", "team-a", "-o", "json"))
	golden(t, "standalone-empty.txt", succeed(t, standalone, "tree", "-n", "default"))

	check := kubectl(t.Context(), standalone, "guard", "check", "-A")
	if check.code != 3 || !strings.Contains(check.stderr, "standalone mode has no guard") {
		t.Errorf("guard check: got %+v, want exit status 3", check)
	}
}

func awaitEvaluated(t *testing.T) {
	t.Helper()
	for _, object := range objects() {
		evaluated, ok := object.(kinds.Object)
		if !ok {
			continue
		}
		testenv.Await(t, standalone.Client, evaluated, "is evaluated", func(evaluated kinds.Object) bool {
			return evaluated.GetStatus().ObservedGeneration == evaluated.GetGeneration()
		})
	}
}

// TestWatch follows an edit, and what ToolHive's operator makes.
func TestWatch(t *testing.T) {
	// The guard is off here, because the one that another test installs would reject the
	// edit.
	ns := "watched"
	guarded.Create(t, namespace(ns, map[string]string{guard.ModeLabel: guard.ModeOff}))
	watch := watchTree(t, guarded, ns)
	watch.await("no config")
	config, server := sample.Config(ns, "shared", "openid"), sample.Server(ns, "web", sample.AuthServerRef("shared", "openid"))
	guarded.Create(t, config)
	watch.await("NotReferenced")
	guarded.Create(t, server)
	watch.await("Supported")
	deploy(t, server, "web", 1)
	watch.await("Supported RolledOut")
	config.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"admin"}
	expect.NoError(t, guarded.Client.Update(t.Context(), config))
	watch.await("NotSupported")
	guarded.Delete(t, server)
	watch.await("NotReferenced")
	watch.stop()
}

// TestWatchWithoutServer watches while the API server goes away and comes back.
func TestWatchWithoutServer(t *testing.T) {
	target, err := url.Parse(standalone.Config.Host)
	expect.NoError(t, err)
	proxy, err := faults.NewProxy(t.Context(), cmp.Or(target.Host, standalone.Config.Host))
	expect.NoError(t, err)
	t.Cleanup(proxy.Away)
	ns := standalone.Namespace(t)
	watch := watchTree(t, standalone, ns, "--server", "https://"+proxy.Address())
	watch.await("no config")
	proxy.Away()
	watch.printed("the watch is interrupted: ")
	standalone.Create(t, sample.Config(ns, "shared", "openid"))
	expect.NoError(t, proxy.Back(t.Context()))
	watch.await("NotReferenced")
	watch.printed("the watch goes on\n")
	watch.stop()

	// A user who loses the rights meanwhile.
	binding := allow(t, standalone, ns, "dismissed", "list", "watch")
	watch = watchTree(t, standalone, ns, "--server", "https://"+proxy.Address(), "--as", "dismissed")
	watch.await("NotReferenced")
	proxy.Away()
	watch.printed("the watch is interrupted: ")
	standalone.Delete(t, binding)
	expect.NoError(t, proxy.Back(t.Context()))
	watch.printed("forbidden")
	_ = watch.command.Wait()
	expect.Equal(t, "exit status", 3, watch.command.ProcessState.ExitCode())
}

// allow gives a user rights to ToolHive's kinds in a namespace, and returns the binding.
func allow(t *testing.T, cluster *testenv.Cluster, namespace, user string, verbs ...string) client.Object {
	t.Helper()
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}}
	cluster.Create(t, binding, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user}, Rules: []rbacv1.PolicyRule{{
		Verbs: verbs, APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"*"},
	}}})
	expect.Eventually(t, "the role binding applies", func(ctx context.Context) (bool, error) {
		return kubectl(ctx, cluster, "tree", "-n", namespace, "--as", user).code == 0, nil
	})
	return binding
}

// treeWatch is a running tree --watch of a namespace with at most one consumer.
type treeWatch struct {
	*testing.T
	command   *exec.Cmd
	interrupt func()
	lines     *bufio.Scanner
	stderr    testenv.Output
}

func watchTree(t *testing.T, cluster *testenv.Cluster, namespace string, flags ...string) *treeWatch {
	t.Helper()
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(interrupt)
	command := exec.CommandContext(ctx, plugin, append([]string{"tree", "-n", namespace, "-o", "json", "--watch"}, flags...)...) //nolint:gosec // Our own program.
	command.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	watch := &treeWatch{T: t, command: command, interrupt: interrupt}
	command.Stderr = &watch.stderr
	stdout, err := command.StdoutPipe()
	expect.NoError(t, err)
	expect.NoError(t, command.Start())
	watch.lines = bufio.NewScanner(stdout)
	return watch
}

// await waits for a verdict on the consumer, with or without the state of its
// rollout, or on the config.
func (w *treeWatch) await(want string) {
	w.Helper()
	for w.lines.Scan() {
		var report tree.Report
		if err := json.Unmarshal(w.lines.Bytes(), &report); err != nil {
			w.Fatalf("%v in %s", err, w.lines.Text())
		}
		got := "no config"
		if len(report.Configs) > 0 {
			got = report.Configs[0].Verdict.State
			for _, consumer := range report.Configs[0].Consumers {
				got = consumer.Verdict.State + " " + consumer.Rollout.State
			}
		}
		if got == want || strings.HasPrefix(got, want+" ") {
			return
		}
	}
	w.Fatalf("the watch ended before it showed %s; stderr: %s", want, &w.stderr)
}

// printed waits for a message.
func (w *treeWatch) printed(want string) {
	w.Helper()
	expect.Eventually(w.T, "the watch says "+want, func(context.Context) (bool, error) {
		return strings.Contains(w.stderr.String(), want), nil
	}, w.stderr.String)
}

func (w *treeWatch) stop() {
	w.Helper()
	w.interrupt()
	for w.lines.Scan() {
		// What was printed until the end does not matter.
	}
	if err := w.command.Wait(); err != nil && w.command.ProcessState.ExitCode() != 0 {
		w.Errorf("interrupted, the watch ended with %v, want exit status 0; stderr: %s", err, &w.stderr)
	}
}

// TestWithoutRights checks the output for a user who may read only ToolHive's
// kinds.
func TestWithoutRights(t *testing.T) {
	// The guard is off here, because the one that another test installs would
	// reject the server.
	off := "team-off"
	guarded.Create(t, namespace(off, map[string]string{guard.ModeLabel: guard.ModeOff}),
		sample.Config(off, "shared", "admin"), sample.Server(off, "web", sample.AuthServerRef("shared")),
	)
	// A follower may also watch.
	allow(t, guarded, off, "viewer", "list")
	allow(t, guarded, off, "follower", "list", "watch")
	// A follower may also list bindings, and still no namespaces, which have the modes.
	install(t, "../../config/guard")
	guarded.Create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "bindings"}, Rules: []rbacv1.PolicyRule{{
		Verbs: []string{"list"}, APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"validatingadmissionpolicybindings"},
	}}}, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "bindings"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "bindings"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "follower"}}})
	expect.Eventually(t, "the bindings are read", func(context.Context) (bool, error) {
		return strings.Contains(findings(t, "-n", off, "--as", "follower", "-o", "json"), `"policies"`), nil
	})
	expect.Contains(t, findings(t, "-n", off, "--as", "follower"), "(mode: unknown) [pair/not-supported]\n", "labels of namespaces could not be read")
	got := succeed(t, guarded, "tree", "-n", off, "--as", "viewer")
	expect.Contains(t, got, "NotSupported: admin", "Unknown (NotReadable)", `deployments could not be read: deployments.apps is forbidden: User "viewer"`)
	expect.Contains(t, findings(t, "-n", off, "--as", "viewer"), "(mode: unknown) [pair/not-supported]\n", "\nguard: unknown\n", "\npairs in mode unknown: 1\n",
		`bindings of policies could not be read: validatingadmissionpolicybindings.admissionregistration.k8s.io is forbidden: User "viewer"`)
	if got := findings(t, "-n", off, "--as", "viewer", "-o", "json"); strings.Contains(got, `"policies"`) {
		t.Errorf("the bindings may not be listed, but the report lists policies:\n%s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got := kubectl(ctx, guarded, "tree", "-n", off, "--as", "viewer", "--watch"); got.code != 3 || !strings.Contains(got.stderr, `User "viewer" cannot watch resource`) || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("without the right to watch: got %+v, want exit status 3 and the right", got)
	}
	watch := watchTree(t, guarded, off, "--as", "follower")
	watch.await("NotSupported")
	guarded.Patch(t, sample.Config(off, "shared"), `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["openid"]}}}`)
	watch.await("Supported")
	watch.stop()
	if got := kubectl(t.Context(), guarded, "tree", "-A", "--as", "viewer"); got.code != 3 || !strings.Contains(got.stderr, "forbidden") {
		t.Errorf("all namespaces: got %+v, want exit status 3 and forbidden", got)
	}
}

// TestManyPages reads more objects than the API server returns at once.
func TestManyPages(t *testing.T) {
	ns := guarded.Namespace(t)
	for i := range 501 {
		guarded.Create(t, sample.Config(ns, fmt.Sprint("config-", i)))
	}
	expect.Contains(t, succeed(t, guarded, "tree", "-n", ns), "\n501 configs, 0 consumers: ")
}

// TestCompletion completes as kubectl does for a plugin: by the program that
// docs/tree.md shows.
func TestCompletion(t *testing.T) {
	program := filepath.Join(filepath.Dir(plugin), "kubectl_complete-scopegate")
	expect.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nexec kubectl-scopegate __complete \"$@\"\n"), 0o700))         //nolint:gosec // It must be executable.
	command := exec.CommandContext(t.Context(), standalone.KubectlPath, "__complete", "scopegate", "tree", "-n", "kube-sys") //nolint:gosec // The pinned binary.
	command.Env = environment(standalone)
	expect.Contains(t, expect.Output(t, command), "kube-system\n")
}
