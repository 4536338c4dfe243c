package plugin_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
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
	standalone.StartStandalone(t, nil)
	awaitEvaluated(t)
	golden(t, "standalone.txt", succeed(t, standalone, "tree", "-A"))
	golden(t, "standalone-wide.txt", succeed(t, standalone, "tree", "-n", "team-a", "-o", "wide"))
	golden(t, "standalone.json", succeed(t, standalone, "tree", "-n", "team-a", "-o", "json"))
	golden(t, "standalone-empty.txt", succeed(t, standalone, "tree", "-n", "default"))

	guard := kubectl(t.Context(), standalone, "guard", "check", "-A")
	if guard.code != 3 || !strings.Contains(guard.stderr, "standalone mode has no guard") {
		t.Errorf("guard check: got %+v, want exit status 3", guard)
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

// TestWatch follows an edit, and on ToolHive's CRDs what its operator makes.
func TestWatch(t *testing.T) {
	for name, cluster := range map[string]*testenv.Cluster{"standalone": standalone, "guard": guarded} {
		t.Run(name, func(t *testing.T) {
			// The guard is off here, because the one that another test installs
			// would reject the edit.
			ns := "watched"
			cluster.Create(t, namespace(ns, map[string]string{"scopegate.dev/guard": "off"}))
			watch := watchTree(t, cluster, ns)
			watch.await("no config")
			config, server := sample.Config(ns, "shared", "openid"), sample.Server(ns, "web", sample.AuthServerRef("shared", "openid"))
			cluster.Create(t, config)
			watch.await("NotReferenced")
			cluster.Create(t, server)
			watch.await("Supported")
			if cluster == guarded {
				deploy(t, server, "web", 1)
				watch.await("Supported RolledOut")
			}
			config.Spec.EmbeddedAuthServer.BaselineClientScopes = []string{"admin"}
			expect.NoError(t, cluster.Client.Update(t.Context(), config))
			watch.await("NotSupported")
			cluster.Delete(t, server)
			watch.await("NotReferenced")
			watch.stop()
		})
	}
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

// awaitRight waits until the API server applies a role binding of a user.
func awaitRight(t *testing.T, namespace, user string) {
	t.Helper()
	expect.Eventually(t, user+" may list", func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: "list", Group: v1alpha1.GroupVersion.Group, Resource: "mcpservers",
		}}}
		err := guarded.Client.Create(ctx, review)
		return review.Status.Allowed, err
	})
}

// TestWithoutRights checks the output for a user who may read only ToolHive's
// kinds.
func TestWithoutRights(t *testing.T) {
	// The guard is off here, because the one that another test installs would
	// reject the server.
	namespace := "team-off"
	guarded.Create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"scopegate.dev/guard": "off"}}},
		sample.Config(namespace, "shared", "admin"), sample.Server(namespace, "web", sample.AuthServerRef("shared")),
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "viewer"}, Rules: []rbacv1.PolicyRule{{
			Verbs: []string{"list"}, APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"*"},
		}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "viewer"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "viewer"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "viewer"}}},
	)
	// A follower may also watch them.
	guarded.Create(t, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "follower"}, Rules: []rbacv1.PolicyRule{{
		Verbs: []string{"list", "watch"}, APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"*"},
	}}}, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "follower"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "follower"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "follower"}}})
	awaitRight(t, namespace, "viewer")
	awaitRight(t, namespace, "follower")
	got := succeed(t, guarded, "tree", "-n", namespace, "--as", "viewer")
	expect.Contains(t, got, "NotSupported: admin", "Unknown (NotReadable)", `deployments could not be read: deployments.apps is forbidden: User "viewer"`)
	expect.Contains(t, findings(t, "-n", namespace, "--as", "viewer"), "(mode: unknown) [pair/not-supported]\n", "\nguard: unknown\n", "\npairs in mode unknown: 1\n",
		`bindings of policies could not be read: validatingadmissionpolicybindings.admissionregistration.k8s.io is forbidden: User "viewer"`)
	if got := findings(t, "-n", namespace, "--as", "viewer", "-o", "json"); strings.Contains(got, `"policies"`) {
		t.Errorf("the bindings may not be listed, but the report lists policies:\n%s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got := kubectl(ctx, guarded, "tree", "-n", namespace, "--as", "viewer", "--watch"); got.code != 3 || !strings.Contains(got.stderr, `User "viewer" cannot watch resource`) || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("without the right to watch: got %+v, want exit status 3 and the right", got)
	}
	watch := watchTree(t, guarded, namespace, "--as", "follower")
	watch.await("NotSupported")
	guarded.Patch(t, sample.Config(namespace, "shared"), `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["openid"]}}}`)
	watch.await("Supported")
	watch.stop()
	if got := kubectl(t.Context(), guarded, "tree", "-A", "--as", "viewer"); got.code != 3 || !strings.Contains(got.stderr, "forbidden") {
		t.Errorf("all namespaces: got %+v, want exit status 3 and forbidden", got)
	}
}

// TestExitStatus covers wrong usage, and clusters that do not answer.
func TestExitStatus(t *testing.T) {
	for name, c := range map[string]struct {
		arguments []string
		code      int
		stderr    string
	}{
		"unknown format of a tree":        {[]string{"tree", "-o", "yaml"}, 2, "-o must be wide or json"},
		"unknown format of the inventory": {[]string{"guard", "check", "-o", "yaml"}, 2, "-o must be text or json"},
		"arguments":                       {[]string{"tree", "shared"}, 2, "unknown command"},
		"no such context":                 {[]string{"tree", "--context", "elsewhere"}, 3, `context "elsewhere" does not exist`},
		"no answer":                       {[]string{"tree", "--server", "https://127.0.0.1:1"}, 3, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			got := kubectl(t.Context(), standalone, c.arguments...)
			if got.code != c.code || !strings.Contains(got.stderr, c.stderr) || got.stdout != "" {
				t.Errorf("got %+v, want exit status %d and %q", got, c.code, c.stderr)
			}
		})
	}
}

// TestCompletion completes as kubectl does for a plugin: by the program that
// docs/tree.md shows.
func TestCompletion(t *testing.T) {
	program := filepath.Join(filepath.Dir(plugin), "kubectl_complete-scopegate")
	expect.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nexec kubectl-scopegate __complete \"$@\"\n"), 0o700)) //nolint:gosec // It must be executable.
	for want, words := range map[string][]string{
		"kube-system\n": {"tree", "-n", "kube-sys"},
		"wide\njson\n":  {"tree", "-o", ""},
		"check\t":       {"guard", "che"},
	} {
		command := exec.CommandContext(t.Context(), standalone.KubectlPath, append([]string{"__complete", "scopegate"}, words...)...) //nolint:gosec // The pinned binary.
		command.Env = environment(standalone)
		output, err := command.Output()
		if err != nil || !strings.HasPrefix(string(output), want) {
			t.Errorf("completion of %q: %v, %q, want %q first", words, err, output, want)
		}
	}
}
