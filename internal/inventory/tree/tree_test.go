package tree_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/inventory/tree"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/internal/toolhive"
)

const ns = "ns"

func snapshot(mode inventory.Mode, supported bool, conditions ...metav1.Condition) *inventory.Snapshot {
	scopes := []string{"openid"}
	if !supported {
		scopes = []string{"profile"}
	}
	server := testenv.Server(ns, "web", testenv.AuthServerRef("shared", scopes...))
	consumer, _ := resolve.ConsumerOf(server)
	return &inventory.Snapshot{
		Mode:      mode,
		Configs:   []*v1beta1.MCPExternalAuthConfig{testenv.Config(ns, "shared", "openid")},
		Consumers: []*inventory.Consumer{{Consumer: consumer, Generation: 2, Status: &v1alpha1.Status{Conditions: conditions}}},
	}
}

func rollout(t *testing.T, snapshot *inventory.Snapshot) string {
	t.Helper()
	report := tree.Build(snapshot)
	if len(report.Configs) != 1 || len(report.Configs[0].Consumers) != 1 {
		t.Fatalf("want one config with one consumer: %+v", report)
	}
	got := report.Configs[0].Consumers[0].Rollout
	return got.State + ": " + got.Reason
}

func ready(status metav1.ConditionStatus, reason string, generation int64) metav1.Condition {
	return metav1.Condition{Type: "Ready", Status: status, Reason: reason, ObservedGeneration: generation}
}

// TestRolloutByCondition covers standalone mode.
func TestRolloutByCondition(t *testing.T) {
	for name, c := range map[string]struct {
		conditions []metav1.Condition
		want       string
	}{
		"no condition":      {nil, "Unknown: NotEvaluated"},
		"of an older state": {[]metav1.Condition{ready("True", "RolledOut", 1)}, "Unknown: RolledOut"},
		"rolled out":        {[]metav1.Condition{ready("True", "RolledOut", 2)}, "RolledOut: RolledOut"},
		"on its way":        {[]metav1.Condition{ready("False", "RollingOut", 2)}, "RollingOut: RollingOut"},
		"refused":           {[]metav1.Condition{ready("False", "RolloutFailed", 2)}, "Failed: RolloutFailed"},
		"held":              {[]metav1.Condition{ready("False", "AudienceMismatch", 2)}, "Held: AudienceMismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rollout(t, snapshot(inventory.Standalone, true, c.conditions...)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestRolloutByChildren covers ToolHive's ConfigMaps and Deployments.
func TestRolloutByChildren(t *testing.T) {
	configMap := func(data string, labels map[string]string) *inventory.RunConfig {
		runConfig, ok := inventory.RunConfigOf(&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web", Labels: labels}, Data: map[string]string{toolhive.RunConfigKey: data},
		}, toolhive.DefaultScopes)
		if !ok {
			t.Fatalf("no run config in %s", data)
		}
		return &runConfig
	}
	const inOrder, notSupported = `{"embedded_auth_server_config":{"baseline_client_scopes":["openid"]}}`, `{"embedded_auth_server_config":{"baseline_client_scopes":["admin"]}}`
	good, bad := configMap(inOrder, nil), configMap(notSupported, nil)
	held := configMap(inOrder, map[string]string{guard.HeldLabel: "true"})
	deployment := func(updated, available int32, conditions ...appsv1.DeploymentCondition) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web", Generation: 1}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)},
			Status: appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: updated, AvailableReplicas: available, Conditions: conditions}}
	}
	stuck := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}
	unseen := deployment(2, 2)
	unseen.Generation = 2
	for name, c := range map[string]struct {
		supported  bool
		runConfig  *inventory.RunConfig
		deployment *appsv1.Deployment
		hidden     map[string]string
		want       string
	}{
		"nothing":              {true, nil, nil, nil, "None: NoRunConfig"},
		"no auth server":       {true, configMap("{}", nil), deployment(2, 2), nil, "None: NoRunConfig"},
		"no Deployment":        {true, good, nil, nil, "None: NoDeployment"},
		"runs":                 {true, good, deployment(2, 2), nil, "RolledOut: DeploymentAvailable"},
		"not updated":          {true, good, deployment(1, 2), nil, "RollingOut: DeploymentProgressing"},
		"not available":        {true, good, deployment(2, 1), nil, "RollingOut: DeploymentProgressing"},
		"not observed":         {true, good, unseen, nil, "RollingOut: DeploymentProgressing"},
		"stuck":                {true, good, deployment(1, 1, stuck), nil, "Failed: ProgressDeadlineExceeded"},
		"held":                 {false, held, deployment(2, 2), nil, "Held: HeldByGuard"},
		"bad":                  {false, bad, deployment(1, 1, stuck), nil, "Refused: BaselineScopeNotSupported"},
		"bad, but repaired":    {true, bad, deployment(2, 2), nil, "Refused: BaselineScopeNotSupported"},
		"older than the edit":  {false, good, deployment(2, 2), nil, "Held: OlderRunConfig"},
		"no JSON":              {true, configMap("{", nil), deployment(2, 2), nil, "Unknown: NotReadable"},
		"hidden from the user": {true, nil, nil, map[string]string{"deployments": "forbidden"}, "Unknown: NotReadable"},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(inventory.Guard, c.supported)
			s.Hidden = c.hidden
			if c.runConfig != nil {
				s.Consumers[0].RunConfigs = append(s.Consumers[0].RunConfigs, *c.runConfig)
			}
			if c.deployment != nil {
				s.Consumers[0].Deployments = append(s.Consumers[0].Deployments, c.deployment)
			}
			if got := rollout(t, s); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestText covers what the real clusters of test/plugin do not have: stale
// conditions, notes, and text that would break a table.
func TestText(t *testing.T) {
	s := snapshot(inventory.Standalone, true, metav1.Condition{Type: "BaselineScopesValid", Status: "True", Reason: "BaselineScopesSupported", ObservedGeneration: 1},
		ready("False", "Held\tby\nnobody", 2))
	s.Hidden = map[string]string{"deployments": "you may not"}
	text := tree.Build(s).Text(false, true)
	expect.Contains(t, text, "True (stale)", "Held (Held by nobody)", "deployments could not be read: you may not\n", "1 config, 1 consumer: 1 supported, 0 not supported, 0 unresolved\n")
	if lines := strings.Count(text, "\n"); lines != 5 {
		t.Errorf("%d lines, want 5:\n%s", lines, text)
	}
}
