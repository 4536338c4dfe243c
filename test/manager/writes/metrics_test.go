package writes_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestMetrics counts objects by verdict in a namespace of its own, and checks
// the names and help texts by the conventions of Prometheus.
func TestMetrics(t *testing.T) {
	namespace := cluster.Namespace(t)
	cluster.StartStandalone(t, nil)
	config := sample.Config(namespace, "shared", "admin")
	bad := sample.Server(namespace, "bad", sample.AuthServerRef("shared"))
	good := sample.Server(namespace, "good", sample.AuthServerRef("shared", "admin"))
	virtual := sample.Virtual(namespace, "v", sample.AuthServer("openid"))
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"), config, bad, good, virtual)
	says := func(object kinds.Object, valid, ready string) bool {
		conditions := object.GetStatus().Conditions
		return string(testenv.Condition(conditions, "BaselineScopesValid").Status) == valid && testenv.Condition(conditions, "Ready").Reason == ready
	}
	testenv.Await(t, cluster.Client, bad, "is held", func(s *v1beta1.MCPServer) bool { return says(s, "False", "BaselineScopeNotSupported") })
	testenv.Await(t, cluster.Client, good, "rolls", func(s *v1beta1.MCPServer) bool { return says(s, "True", "RollingOut") })
	testenv.Await(t, cluster.Client, virtual, "rolls", func(v *v1beta1.VirtualMCPServer) bool { return says(v, "True", "RollingOut") })
	testenv.AwaitValid(t, cluster, config, "False")

	collector := metrics.Collector{Cache: client.NewNamespacedClient(cluster.Client, namespace), Standalone: true}
	problems, err := testutil.CollectAndLint(collector)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	want := fmt.Sprintf(`
# HELP scopegate_baseline_scopes_valid Objects by the status and the reason of their condition BaselineScopesValid. Those that are False also by namespace.
# TYPE scopegate_baseline_scopes_valid gauge
scopegate_baseline_scopes_valid{kind="MCPExternalAuthConfig",object_namespace="%[1]s",reason="BaselineScopeNotSupported",status="False"} 1
scopegate_baseline_scopes_valid{kind="MCPServer",object_namespace="%[1]s",reason="BaselineScopeNotSupported",status="False"} 1
scopegate_baseline_scopes_valid{kind="MCPServer",object_namespace="",reason="BaselineScopesSupported",status="True"} 1
scopegate_baseline_scopes_valid{kind="VirtualMCPServer",object_namespace="",reason="BaselineScopesSupported",status="True"} 1
# HELP scopegate_rollouts_held Objects whose rollout is held. Running pods stay unchanged. Only in standalone mode.
# TYPE scopegate_rollouts_held gauge
scopegate_rollouts_held{kind="MCPRemoteProxy"} 0
scopegate_rollouts_held{kind="MCPServer"} 1
scopegate_rollouts_held{kind="VirtualMCPServer"} 0
`, namespace)
	if err := testutil.CollectAndCompare(collector, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// TestForeignReasonsAreOneSeries writes conditions whose reasons scopegate does not have.
// No manager runs. Guard mode counts them, and standalone mode's metric is not there.
func TestForeignReasonsAreOneSeries(t *testing.T) {
	namespace := cluster.Namespace(t)
	for _, name := range []string{"One", "Two"} {
		config := sample.Config(namespace, strings.ToLower(name))
		cluster.Create(t, config)
		status.Set(&config.Status, 1, condition("False", name))
		expect.NoError(t, cluster.Client.Status().Update(t.Context(), config))
	}
	want := fmt.Sprintf(`
# HELP scopegate_baseline_scopes_valid Objects by the status and the reason of their condition BaselineScopesValid. Those that are False also by namespace.
# TYPE scopegate_baseline_scopes_valid gauge
scopegate_baseline_scopes_valid{kind="MCPExternalAuthConfig",object_namespace="%s",reason="Other",status="False"} 2
# HELP scopegate_guard_stood_down Objects that the guard does not write, because another writer decides on their condition BaselineScopesValid. Only in guard mode.
# TYPE scopegate_guard_stood_down gauge
scopegate_guard_stood_down{kind="MCPExternalAuthConfig"} 2
scopegate_guard_stood_down{kind="MCPRemoteProxy"} 0
scopegate_guard_stood_down{kind="MCPServer"} 0
scopegate_guard_stood_down{kind="VirtualMCPServer"} 0
`, namespace)
	collector := metrics.Collector{Cache: client.NewNamespacedClient(cluster.Client, namespace)}
	expect.NoError(t, testutil.CollectAndCompare(collector, strings.NewReader(want)))
}

// TestTheRecorderSeesAnInvalidRollout rolls out by hand what the gate would
// hold: the recorder of every suite must find the Deployment and its ReplicaSet.
func TestTheRecorderSeesAnInvalidRollout(t *testing.T) {
	namespace := cluster.Namespace(t)
	deployment := sample.Deployment(namespace, "ungated", map[string]string{"app": "ungated"})
	deployment.Spec.Template.Annotations = map[string]string{
		rollout.RunConfigAnnotation: `{"scopes_supported":["openid"],"baseline_client_scopes":["openid","admin"]}`,
	}
	if before := cluster.Rollouts.Violations(); len(before) != 0 {
		t.Fatalf("found already: %v", before)
	}
	cluster.Create(t, deployment)
	testenv.Await(t, cluster.Client, deployment, "is observed", func(d *appsv1.Deployment) bool {
		return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == 1
	})
	for _, kind := range []string{"Deployment", "ReplicaSet"} {
		want, found := fmt.Sprintf("%s %s/ungated", kind, namespace), ""
		// The recorder has its own watches, which may lag behind the one above.
		expect.Eventually(t, "the recorder finds "+want, func(context.Context) (bool, error) {
			found = strings.Join(cluster.Rollouts.Violations(), "\n")
			return strings.Contains(found, want), nil
		}, func() string { return found })
	}
}
