package monitoring_test

import (
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

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/setup"
)

const prometheusConfig = `
global: {scrape_interval: 4s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: scopegate
    scheme: https
    authorization: {credentials_file: %q}
    tls_config: {insecure_skip_verify: true}
    static_configs: [{targets: [%q]}]
  - job_name: apiserver
    scheme: https
    tls_config: {insecure_skip_verify: true, cert_file: %q, key_file: %q}
    static_configs: [{targets: [%q]}]
  - job_name: kube-state-metrics
    static_configs: [{targets: [%q]}]
`

// startEverything starts a control plane with the guard, objects of each verdict,
// kube-state-metrics, and a Prometheus that scrapes all three with the rights
// that docs/how-to/monitoring.md gives it.
func startEverything(t *testing.T) *server {
	t.Helper()
	tool(t, "prometheus")
	crds, err := setup.LikeToolHive()
	expect.NoError(t, err)
	cluster := testenv.StartForTest(t, controlplane.Options{Guard: true, CRDs: crds})
	// The check of the policies tries whether the canary's quota refuses.
	expect.NoError(t, cluster.StartControllers("resourcequota-controller", nil))
	manager := testenv.FreeAddress(t)
	testenv.StartProcess(t, testenv.BuildManager(t), "--kubeconfig", cluster.KubeconfigOf(t, controlplane.Namespace, "scopegate-guard"),
		"--mode", guard.ModeWarn, "--namespace", controlplane.Namespace, "--leader-elect", "--leader-election-namespace", controlplane.Namespace,
		"--metrics-secure", "--metrics-bind-address", manager, "--health-probe-bind-address", "0")
	populate(t, cluster)
	objects := startKubeStateMetrics(t, cluster)

	account(t, cluster, "prometheus", "scopegate-metrics-reader")
	token, err := cluster.Token(t.Context(), controlplane.Namespace, "prometheus")
	expect.NoError(t, err)
	work := t.TempDir()
	tokenFile, rules := filepath.Join(work, "token"), filepath.Join(work, "rules.yaml")
	expect.NoError(t, os.WriteFile(tokenFile, []byte(token), 0o600))
	writeRules(t, rules, groups(t))
	certificate, key := cluster.AdminFiles(t)
	apiServer := strings.Trim(strings.TrimPrefix(cluster.Config.Host, "https://"), "/")
	prometheus := &server{testenv.FreeAddress(t)}
	configuration := filepath.Join(work, "prometheus.yaml")
	expect.WriteFile(t, configuration, fmt.Sprintf(prometheusConfig, rules, tokenFile, manager, certificate, key, apiServer, objects))
	start(t, "prometheus", "--web.listen-address="+prometheus.address, "--storage.tsdb.path="+filepath.Join(work, "data"), "--config.file="+configuration)
	prometheus.awaitAnswers(t, "count(up == 1) == 3", true)
	// The leader serves it after its first look at the policies.
	prometheus.awaitAnswers(t, `scopegate_guard_check_timestamp_seconds{job="scopegate"}`, true)
	keepRefusing(t, cluster)
	t.Run("names and helps", func(t *testing.T) { lint(t, manager, token) })
	return prometheus
}

func account(t *testing.T, cluster *testenv.Cluster, name string, roles ...string) {
	t.Helper()
	cluster.Create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: controlplane.Namespace, Name: name}})
	for _, role := range roles {
		cluster.Create(t, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name + "-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: controlplane.Namespace, Name: name}},
		})
	}
}

// labelsFlag is what docs/how-to/monitoring.md says about kube-state-metrics.
const labelsFlag = "--metric-labels-allowlist=deployments=[toolhive,app.kubernetes.io/name]"

// startKubeStateMetrics runs kube-state-metrics with the shipped configuration
// and rights, and with the right to read Deployments that it has anyway. It returns
// its address.
func startKubeStateMetrics(t *testing.T, cluster *testenv.Cluster) string {
	t.Helper()
	role := &rbacv1.ClusterRole{}
	read(t, filepath.Join(folder, "kube-state-metrics/role.yaml"), role)
	cluster.Create(t, role)
	account(t, cluster, "kube-state-metrics", role.Name, "system:aggregate-to-view")
	expect.Contains(t, expect.ReadFile(t, "../../../docs/how-to/monitoring.md"), "\n"+labelsFlag+"\n")
	address, telemetry := testenv.FreeAddress(t), testenv.FreeAddress(t)
	host, port, _ := strings.Cut(address, ":")
	_, telemetryPort, _ := strings.Cut(telemetry, ":")
	start(t, "kube-state-metrics", "--kubeconfig="+cluster.KubeconfigOf(t, controlplane.Namespace, "kube-state-metrics"),
		"--host="+host, "--port="+port, "--telemetry-host="+host, "--telemetry-port="+telemetryPort,
		"--resources=deployments", labelsFlag, "--custom-resource-state-config-file="+filepath.Join(folder, "kube-state-metrics/config.yaml"))
	return address
}

// populate makes objects of each verdict, in a namespace that only warns. It plays
// ToolHive's operator for one, and the controller of Deployments for another.
func populate(t *testing.T, cluster *testenv.Cluster) {
	t.Helper()
	namespace := cluster.Namespace(t)
	good := sample.Server(namespace, "good", sample.AuthServerRef("shared", "admin"))
	bad := sample.Server(namespace, "bad", sample.AuthServerRef("shared"))
	cluster.Create(t, sample.Config(namespace, "shared", "admin"), good, bad,
		sample.Proxy(namespace, "later", sample.AuthServerRef("not-yet")),
		sample.Virtual(namespace, "own", sample.AuthServer("openid"), "openid"))
	testenv.AwaitValid(t, cluster, bad, "False")
	good = testenv.AwaitValid(t, cluster, good, "True")
	meta.SetStatusCondition(&good.Status.Conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready"})
	meta.SetStatusCondition(&good.Status.Conditions, metav1.Condition{Type: "Stalled", Status: metav1.ConditionFalse, Reason: "Ready"})
	expect.NoError(t, cluster.Client.Status().Update(t.Context(), good))
	deployment := sample.Deployment(namespace, "bad", map[string]string{toolhive.OwnedLabel: "true", toolhive.NameLabel: "mcpserver"})
	cluster.Create(t, deployment)
	deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate"}}
	expect.NoError(t, cluster.Client.Status().Update(t.Context(), deployment))
}

// keepRefusing makes edits that a policy rejects until the test ends, because a
// rate needs several.
func keepRefusing(t *testing.T, cluster *testenv.Cluster) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "enforced", Labels: map[string]string{guard.ModeLabel: guard.ModeEnforce}}}
	cluster.Create(t, namespace)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			_ = cluster.Client.Create(ctx, sample.Virtual(namespace.Name, "refused", sample.AuthServer("admin"), "openid"), client.DryRunAll)
			return false, nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// lint checks scopegate's own metrics by the conventions of Prometheus.
func lint(t *testing.T, address, token string) {
	t.Helper()
	_, text, err := testenv.Fetch(t.Context(), "https://"+address+"/metrics", token)
	expect.NoError(t, err)
	var own strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, "scopegate_") {
			own.WriteString(line)
		}
	}
	for _, name := range []string{"scopegate_baseline_scopes_valid", "scopegate_guard_ineffective", "scopegate_guard_check_timestamp_seconds", "scopegate_guard_stood_down"} {
		if !strings.Contains(own.String(), "# HELP "+name+" ") {
			t.Errorf("%s is not served", name)
		}
	}
	problems, err := promlint.New(strings.NewReader(own.String())).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}

type server struct{ address string }

// start runs a binary until the test ends, and shows what it printed if it fails.
func start(t *testing.T, name string, arguments ...string) {
	t.Helper()
	testenv.StartCommand(t, exec.Command(tool(t, name), arguments...)) //nolint:gosec // The pinned binary.
}

func (s *server) get(ctx context.Context, path string, into any) error {
	_, text, err := testenv.Fetch(ctx, "http://"+s.address+path, "")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

// query returns how many series an expression has now.
func (s *server) query(ctx context.Context, expression string) (int, error) {
	var answer struct {
		Status, Error string
		Data          struct{ Result []any }
	}
	if err := s.get(ctx, "/api/v1/query?query="+url.QueryEscape(interval.Replace(expression)), &answer); err != nil {
		return 0, err
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s: %s", expression, answer.Error)
	}
	return len(answer.Data.Result), nil
}

// awaitAnswers runs a query until it has an answer, if it needs one, and returns
// the number of series.
func (s *server) awaitAnswers(t *testing.T, expression string, needed bool) int {
	t.Helper()
	count, err := 0, error(nil)
	expect.Eventually(t, expression+" has an answer", func(ctx context.Context) (bool, error) {
		// Prometheus may not listen yet.
		count, err = s.query(ctx, expression)
		return err == nil && (count > 0 || !needed), nil
	}, func() string { return fmt.Sprint(err) })
	return count
}
