package tree_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/live"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testenv"
	"github.com/scopegate/scopegate/internal/tree"
)

const (
	ns  = "ns"
	uid = types.UID("server")
)

// snapshot has one config and one server, whose scopes support it or not.
func snapshot(mode live.Mode, supported bool, conditions ...metav1.Condition) *live.Snapshot {
	scopes := []string{"openid"}
	if !supported {
		scopes = []string{"profile"}
	}
	server := testenv.Server(ns, "web", testenv.AuthServerRef("shared", scopes...))
	consumer, _ := resolve.Of(server)
	return &live.Snapshot{
		Mode:      mode,
		Configs:   []*v1beta1.MCPExternalAuthConfig{testenv.Config(ns, "shared", "openid")},
		Consumers: []live.Consumer{{Consumer: consumer, UID: uid, Generation: 2, Status: &v1alpha1.Status{Conditions: conditions}}},
	}
}

func rollout(t *testing.T, snapshot *live.Snapshot) string {
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

// TestRolloutByCondition is about whole mode.
func TestRolloutByCondition(t *testing.T) {
	for name, c := range map[string]struct {
		conditions []metav1.Condition
		want       string
	}{
		"never judged":      {nil, "Unknown: NotJudged"},
		"of an older state": {[]metav1.Condition{ready("True", "RolledOut", 1)}, "Unknown: RolledOut"},
		"rolled out":        {[]metav1.Condition{ready("True", "RolledOut", 2)}, "RolledOut: RolledOut"},
		"on its way":        {[]metav1.Condition{ready("False", "RollingOut", 2)}, "RollingOut: RollingOut"},
		"refused":           {[]metav1.Condition{ready("False", "RolloutFailed", 2)}, "Failed: RolloutFailed"},
		"held":              {[]metav1.Condition{ready("False", "AudienceMismatch", 2)}, "Held: AudienceMismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rollout(t, snapshot(live.Whole, true, c.conditions...)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestRolloutByChildren is about ToolHive's ConfigMaps and Deployments.
func TestRolloutByChildren(t *testing.T) {
	owned := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: ns, Name: name, Generation: 1, OwnerReferences: []metav1.OwnerReference{{UID: uid}}}
	}
	configMap := func(data string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: owned("web"), Data: map[string]string{"runconfig.json": data}}
	}
	good, bad := configMap(`{"embedded_auth_server_config":{"baseline_client_scopes":["openid"]}}`), configMap(`{"embedded_auth_server_config":{"baseline_client_scopes":["admin"]}}`)
	held := good.DeepCopy()
	held.Labels = map[string]string{live.HeldLabel: "true"}
	strange := good.DeepCopy()
	strange.OwnerReferences[0].UID = "another"
	deployment := func(updated, available int32, conditions ...appsv1.DeploymentCondition) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: owned("web"), Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)},
			Status: appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: updated, AvailableReplicas: available, Conditions: conditions}}
	}
	stuck := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}
	unseen := deployment(2, 2)
	unseen.Generation = 2
	for name, c := range map[string]struct {
		supported  bool
		configMap  *corev1.ConfigMap
		deployment *appsv1.Deployment
		hidden     map[string]string
		want       string
	}{
		"nothing":              {true, nil, nil, nil, "None: NoRunConfig"},
		"somebody else's":      {true, strange, deployment(2, 2), nil, "None: NoRunConfig"},
		"no Deployment":        {true, good, nil, nil, "None: NoDeployment"},
		"runs":                 {true, good, deployment(2, 2), nil, "RolledOut: DeploymentAvailable"},
		"not updated":          {true, good, deployment(1, 2), nil, "RollingOut: DeploymentProgressing"},
		"not available":        {true, good, deployment(2, 1), nil, "RollingOut: DeploymentProgressing"},
		"not observed":         {true, good, unseen, nil, "RollingOut: DeploymentProgressing"},
		"stuck":                {true, good, deployment(1, 1, stuck), nil, "Failed: ProgressDeadlineExceeded"},
		"held":                 {false, held, deployment(2, 2), nil, "Held: HeldByGuard"},
		"bad":                  {false, bad, deployment(1, 1, stuck), nil, "Refused: BaselineScopeNotSupported"},
		"bad, but mended":      {true, bad, deployment(2, 2), nil, "Refused: BaselineScopeNotSupported"},
		"older than the edit":  {false, good, deployment(2, 2), nil, "Held: OlderRunConfig"},
		"no JSON":              {true, configMap("{"), deployment(2, 2), nil, "Unknown: NotReadable"},
		"hidden from the user": {true, nil, nil, map[string]string{"deployments": "forbidden"}, "Unknown: NotReadable"},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(live.Guard, c.supported)
			s.Hidden = c.hidden
			if c.configMap != nil {
				s.ConfigMaps = append(s.ConfigMaps, c.configMap)
			}
			if c.deployment != nil {
				s.Deployments = append(s.Deployments, c.deployment)
			}
			if got := rollout(t, s); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestWrite is about what the real clusters of test/plugin do not show: stale
// conditions, notes, and text that would break a table.
func TestWrite(t *testing.T) {
	s := snapshot(live.Whole, true, metav1.Condition{Type: "BaselineScopesValid", Status: "True", Reason: "BaselineScopesSupported", ObservedGeneration: 1},
		ready("False", "Held\tby\nnobody", 2))
	s.Hidden = map[string]string{"deployments": "you may not"}
	report := tree.Build(s)
	var text bytes.Buffer
	if err := tree.Write(&text, report, tree.Wide, false, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"True (stale)", "Held (Held by nobody)", "deployments could not be read: you may not\n", "1 config, 1 consumer: 1 supported, 0 not supported, 0 unresolved\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("want %q in:\n%s", want, &text)
		}
	}
	if lines := strings.Count(text.String(), "\n"); lines != 5 {
		t.Errorf("%d lines, want 5:\n%s", lines, &text)
	}

	text.Reset()
	if err := tree.Write(&text, report, tree.JSON, false, true); err != nil {
		t.Fatal(err)
	}
	var again tree.Report
	if err := json.Unmarshal(text.Bytes(), &again); err != nil || strings.Count(text.String(), "\n") != 1 {
		t.Errorf("want JSON on one line: %v\n%s", err, &text)
	}
	if diff := cmp.Diff(report, again); diff != "" {
		t.Errorf("JSON (-written +read):\n%s", diff)
	}
}
