package canary

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestReport follows a sequence of checks: when a finding is reported, as an event and
// by the metric, and when it is taken back.
func TestReport(t *testing.T) {
	const policy = "scopegate-consumers"
	changed, effective := Finding{Changed, "it was changed"}, Finding{}
	recorder := events.NewFakeRecorder(100)
	c := &Checker{recorder: recorder, failures: map[string]int{}, reported: map[string]Finding{}}
	for _, step := range []struct {
		what     string
		found    map[string]Finding
		complete bool
		next     time.Duration
		event    string
		// metric has the cause and the value of the sample of the policy.
		metric string
	}{
		{"not checked", nil, false, retryInterval, "", ""},
		{"effective", map[string]Finding{policy: effective}, true, interval, "", `cause="" 0`},
		{"changed", map[string]Finding{policy: changed}, true, retryInterval, "", `cause="" 0`},
		{"still", map[string]Finding{policy: changed}, true, retryInterval, "", `cause="" 0`},
		{"effective in between", map[string]Finding{policy: effective}, true, interval, "", `cause="" 0`},
		{"changed again", map[string]Finding{policy: changed}, true, retryInterval, "", `cause="" 0`},
		{"a check that fails", map[string]Finding{"another": effective}, false, retryInterval, "", `cause="" 0`},
		{"twice", map[string]Finding{policy: changed}, true, retryInterval, "", `cause="" 0`},
		{"three times", map[string]Finding{policy: changed}, true, retryInterval, "Warning GuardIneffective it is not effective: it was changed", `cause="Changed" 1`},
		{"told once", map[string]Finding{policy: changed}, true, retryInterval, "", `cause="Changed" 1`},
		{"nobody knows", nil, false, retryInterval, "", `cause="Changed" 1`},
		{"missing", map[string]Finding{policy: {Missing, "gone"}}, true, retryInterval, "Warning GuardIneffective it is not effective: gone", `cause="Missing" 1`},
		{"repaired", map[string]Finding{policy: effective}, true, interval, "Normal GuardEffective it is effective again", `cause="" 0`},
		{"an optional policy is gone", map[string]Finding{}, true, interval, "", ""},
	} {
		checked.WithLabelValues().Set(1)
		expect.Equal(t, step.what+": the next check", step.next, c.report(t.Context(), step.found, step.complete))
		expect.Equal(t, step.what+": the check is complete", step.complete, testutil.ToFloat64(checked) != 1)
		event := ""
		select {
		case event = <-recorder.Events:
		default:
		}
		expect.Equal(t, step.what+": event", step.event, event)
		if len(recorder.Events) > 0 {
			t.Errorf("%s: another event: %s", step.what, <-recorder.Events)
		}
		metrics, err := testutil.CollectAndFormat(ineffective, expfmt.TypeTextPlain, "scopegate_guard_ineffective")
		expect.NoError(t, err)
		lines := slices.DeleteFunc(strings.Split(string(metrics), "\n"), func(line string) bool { return !strings.Contains(line, policy) })
		got := strings.NewReplacer("scopegate_guard_ineffective{", "", `,policy="`+policy+`"}`, "").Replace(strings.Join(lines, "\n"))
		expect.Equal(t, step.what+": metric", step.metric, got)
	}
}

// TestFailedCheckIsLogged starts a check that nobody answers, as the leader alone does.
func TestFailedCheckIsLogged(t *testing.T) {
	policies, err := guard.Policies(guard.ModeWarn, nil)
	expect.NoError(t, err)
	scheme := runtime.NewScheme()
	expect.NoError(t, admissionv1.AddToScheme(scheme))
	checker, err := New(&rest.Config{Host: "127.0.0.1:1"}, scheme, policies, events.NewFakeRecorder(100))
	expect.NoError(t, err)
	if everywhere, is := any(checker).(manager.LeaderElectionRunnable); is && !everywhere.NeedLeaderElection() {
		t.Error("a manager that does not lead starts it too")
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	logged := ""
	logger := funcr.New(func(_, text string) { logged += text; stop() }, funcr.Options{})
	expect.NoError(t, checker.Start(log.IntoContext(ctx, logger)))
	expect.Contains(t, logged, "checking whether the policies are effective", "connection refused")
}

// TestReportedInTime checks that a change right after a check is reported within 70
// seconds, of which the checks themselves may take ten. A check must not follow another
// at once.
func TestReportedInTime(t *testing.T) {
	if longest := interval + (tries-1)*retryInterval; longest > time.Minute || retryInterval < time.Second {
		t.Errorf("a change is reported after up to %s, and a repair after %s", longest, retryInterval)
	}
}

// TestRegarding checks the object of the events.
func TestRegarding(t *testing.T) {
	for name, kind := range map[string]string{"scopegate-consumers": "ValidatingAdmissionPolicy", "scopegate-canary": "Namespace"} {
		expect.Equal(t, name, kind, regarding(name).GetObjectKind().GroupVersionKind().Kind)
	}
}
