package tree_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/inventory/tree"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

const ns = "ns"

func snapshot(mode inventory.Mode, supported bool, conditions ...metav1.Condition) *inventory.Snapshot {
	scopes := []string{"openid"}
	if !supported {
		scopes = []string{"profile"}
	}
	server := sample.Server(ns, "web", sample.AuthServerRef("shared", scopes...))
	consumer, _ := resolve.ConsumerOf(server)
	return &inventory.Snapshot{
		Mode:      mode,
		Namespace: ns,
		Configs:   []*v1beta1.MCPExternalAuthConfig{sample.Config(ns, "shared", "openid")},
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

// TestRolloutByDeployment covers ToolHive's Deployments.
func TestRolloutByDeployment(t *testing.T) {
	deployment := func(updated, available int32, conditions ...appsv1.DeploymentCondition) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web", Generation: 1}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)},
			Status: appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: updated, AvailableReplicas: available, Conditions: conditions}}
	}
	stuck := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}
	refused := appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "denied"}
	started := refused
	started.Status = corev1.ConditionFalse
	unseen := deployment(2, 2, refused)
	unseen.Generation = 2
	for name, c := range map[string]struct {
		supported  bool
		deployment *appsv1.Deployment
		hidden     map[string]string
		want       string
	}{
		"no Deployment":           {true, nil, nil, "None: NoDeployment"},
		"runs":                    {true, deployment(2, 2), nil, "RolledOut: DeploymentAvailable"},
		"runs as before the edit": {false, deployment(2, 2), nil, "RolledOut: DeploymentAvailable"},
		"not updated":             {true, deployment(1, 2), nil, "RollingOut: DeploymentProgressing"},
		"not available":           {true, deployment(2, 1), nil, "RollingOut: DeploymentProgressing"},
		"not observed":            {false, unseen, nil, "RollingOut: DeploymentProgressing"},
		"stuck":                   {true, deployment(1, 1, stuck), nil, "Failed: ProgressDeadlineExceeded"},
		"held":                    {false, deployment(0, 2, refused), nil, "Held: ReplicaFailure"},
		"held for long":           {false, deployment(0, 2, stuck, refused), nil, "Held: ReplicaFailure"},
		"refused by others":       {true, deployment(0, 2, refused), nil, "Failed: ReplicaFailure"},
		"not refused any more":    {false, deployment(1, 2, started), nil, "RollingOut: DeploymentProgressing"},
		"hidden from the user":    {true, nil, map[string]string{"deployments": "forbidden"}, "Unknown: NotReadable"},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(inventory.Guard, c.supported)
			s.Unreadable = c.hidden
			s.Consumers[0].Deployment = c.deployment
			if got := rollout(t, s); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestExplanation checks that a wide table has the messages of the verdict and of a
// rollout that does not proceed, without repetition.
func TestExplanation(t *testing.T) {
	verdict := tree.Build(snapshot(inventory.Guard, false)).Configs[0].Consumers[0].Verdict.Message
	for want, c := range map[string]struct {
		supported bool
		message   string
	}{
		"   pods are forbidden: " + verdict + "\n":                        {false, "pods are forbidden: " + verdict},
		"   " + verdict + "; rollout: exceeded quota\n":                   {false, "exceeded quota"},
		"(from its spec.oidcConfigRef.scopes); rollout: exceeded quota\n": {true, "exceeded quota"},
	} {
		s := snapshot(inventory.Guard, c.supported)
		s.Consumers[0].Deployment = &appsv1.Deployment{Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: c.message},
		}}}
		expect.Contains(t, tree.Build(s).Text(true, 0), want)
	}
}

// TestText covers what the real clusters of test/plugin do not have: stale
// conditions, notes, and text that would break a table.
func TestText(t *testing.T) {
	s := snapshot(inventory.Standalone, true, metav1.Condition{Type: "BaselineScopesValid", Status: "True", Reason: "BaselineScopesSupported", ObservedGeneration: 1},
		ready("False", "Held\tby\nnobody", 2))
	s.Unreadable = map[string]string{"deployments": "you may not"}
	text := tree.Build(s).Text(true, 0)
	expect.Contains(t, text, "True (stale)", "Held (Held by nobody)", "deployments could not be read: you may not\n", "1 config, 1 consumer: 1 supported, 0 not supported, 0 unresolved\n")
	if lines := strings.Count(text, "\n"); lines != 5 {
		t.Errorf("%d lines, want 5:\n%s", lines, text)
	}
}

// TestNarrow checks that verdicts come first where the lines are too long for a
// terminal.
func TestNarrow(t *testing.T) {
	s := snapshot(inventory.Guard, false)
	for width, want := range map[int]string{
		0:    "NAME ",
		1000: "NAME ",
		40:   "VERDICT                NAME ",
	} {
		if got := tree.Build(s).Text(false, width); !strings.HasPrefix(got, want) {
			t.Errorf("%d columns: want %q first, got:\n%s", width, want, got)
		}
	}
	s.Namespace = ""
	if got := tree.Build(s).Text(false, 40); !strings.HasPrefix(got, "VERDICT                NAMESPACE   NAME ") {
		t.Errorf("all namespaces: got:\n%s", got)
	}
}

func TestEmpty(t *testing.T) {
	for namespace, want := range map[string]string{
		"":     "no namespace has an auth server config\n",
		"team": "namespace \"team\" has no auth server config; -A shows all namespaces\n",
	} {
		report := tree.Build(&inventory.Snapshot{Namespace: namespace})
		expect.Contains(t, report.Text(false, 0), want+"0 configs, 0 consumers: ")
		if report.Configs == nil {
			t.Error("in JSON, no configs are null instead of an empty list")
		}
	}
}

// TestTable compares a whole table: a shared config, one that is not there, and a
// VirtualMCPServer with its own; lists of four and of five scopes.
func TestTable(t *testing.T) {
	of := func(object any, state appsv1.DeploymentStatus) *inventory.Consumer {
		consumer, _ := resolve.ConsumerOf(object)
		valid := metav1.Condition{Type: "BaselineScopesValid", Status: "True", Reason: "BaselineScopesSupported", ObservedGeneration: 1}
		return &inventory.Consumer{
			Consumer: consumer, Generation: 1, Status: &v1alpha1.Status{Conditions: []metav1.Condition{valid}},
			Deployment: &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](1)}, Status: state},
		}
	}
	done := appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}
	shared := sample.Config(ns, "shared", "a", "b", "c", "d", "e")
	outright := sample.AuthServer("a")
	outright.ScopesSupported = []string{"a"}
	report := tree.Build(&inventory.Snapshot{
		Mode: inventory.Guard, Namespace: ns,
		Configs: []*v1beta1.MCPExternalAuthConfig{shared, sample.OutgoingConfig(ns, "outgoing")},
		Consumers: []*inventory.Consumer{
			of(sample.Server(ns, "web", sample.AuthServerRef("shared", "a", "b", "c", "d")), done),
			of(sample.Proxy(ns, "p", sample.AuthServerRef("shared", "a", "b", "c", "d", "e")), appsv1.DeploymentStatus{}),
			of(sample.Proxy(ns, "dangling", sample.AuthServerRef("gone")), done),
			of(sample.Virtual(ns, "v", outright), done),
		},
	})
	var found []bool
	for _, config := range report.Configs {
		found = append(found, config.Found)
		for _, consumer := range config.Consumers {
			expect.Equal(t, "stale", false, consumer.Condition.Stale)
		}
	}
	expect.Equal(t, "found", []bool{false, true, true}, found)
	expect.Equal(t, "scopesSupported", outright.ScopesSupported, report.Configs[2].ScopesSupported)
	want := `
NAME                           BASELINE     VERDICT                      EFFECTIVE SCOPES   FROM              ROLLOUT
MCPExternalAuthConfig/gone     -            NotFound                     -                  -                 -
└─ MCPRemoteProxy/dangling     -            Unresolved: ConfigNotFound   -                  -                 RolledOut (DeploymentAvailable)
MCPExternalAuthConfig/shared   a,b,c,d,+1   NotSupported                 -                  -                 -
├─ MCPServer/web               -            NotSupported: e              a,b,c,d            oidcConfigRef     RolledOut (DeploymentAvailable)
└─ MCPRemoteProxy/p            -            Supported                    a,b,c,d,+1         oidcConfigRef     RollingOut (DeploymentProgressing)
VirtualMCPServer/v             a            Supported                    a                  scopesSupported   RolledOut (DeploymentAvailable)
3 configs, 4 consumers: 2 supported, 1 not supported, 1 unresolved
`
	expect.Equal(t, "text", want, "\n"+report.Text(false, 0))
	longest := utf8.RuneCountInString(strings.Split(want, "\n")[6])
	expect.Equal(t, "exactly as wide as the terminal", want, "\n"+report.Text(false, longest))
	if narrower := report.Text(false, longest-1); !strings.HasPrefix(narrower, "VERDICT") {
		t.Errorf("wider than the terminal:\n%s", narrower)
	}
}
