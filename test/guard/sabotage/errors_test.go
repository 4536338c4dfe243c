package sabotage_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// failing makes the requests fail whose method and path have this start and this end.
func failing(method, end string) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if request.Method == method && strings.HasSuffix(request.URL.Path, end) {
				return nil, errors.New("it was made to fail")
			}
			return next.RoundTrip(request)
		})
	}
}

// TestErrors makes one request of a check fail. What it is about counts neither as
// effective nor as ineffective, and all other findings are reported.
func TestErrors(t *testing.T) {
	await(t, newChecker(t, nil, nil, policies(t)...), "all is effective", silent)
	changed := read(t, policies(t)[0].Bindings[0])
	expect.NoError(t, overwrite(t.Context(), with(changed, []any{"Audit"}, "spec", "validationActions")))
	defer func() { expect.NoError(t, overwrite(t.Context(), changed.DeepCopy())) }()
	everything := append(slices.Clone(guard.PolicyNames), guard.StartUpPolicy, guard.CanaryNamespace)
	for name, tc := range map[string]struct {
		method, end string
		unknown     []string
	}{
		"a policy":          {"GET", "/validatingadmissionpolicies/scopegate-consumers", []string{guard.ConsumersPolicy}},
		"a binding":         {"GET", "/scopegate-pods-of-mcpservers-deny", []string{guard.PodsOfMCPServersPolicy}},
		"the stored config": {"GET", "/mcpexternalauthconfigs/scopegate-canary", []string{guard.CanaryNamespace}},
		"one of two tries":  {"POST", "/mcpremoteproxies", []string{guard.ConsumersPolicy, guard.CanaryNamespace}},
		"a pod":             {"POST", "/pods", []string{guard.CanaryNamespace}},
	} {
		t.Run(name, func(t *testing.T) {
			checker := newChecker(t, nil, failing(tc.method, tc.end), policies(t)...)
			found, err := checker.Check(t.Context())
			expect.Error(t, err, "it was made to fail")
			want := slices.DeleteFunc(slices.Sorted(slices.Values(everything)), func(policy string) bool { return slices.Contains(tc.unknown, policy) })
			expect.Equal(t, "policies with a result", want, slices.Sorted(maps.Keys(found)))
			for policy, finding := range found {
				if (finding.Cause == canary.Changed) != (policy == changed.Object["spec"].(map[string]any)["policyName"]) {
					t.Errorf("%s: %q", policy, finding)
				}
			}
		})
	}
}

// TestFailedRequests runs a manager whose policies are all effective. No request fails
// but those that the check makes to be refused.
func TestFailedRequests(t *testing.T) {
	all := policies(t)
	startUp := all[len(all)-1]
	object := read(t, startUp.ValidatingAdmissionPolicy)
	expect.NoError(t, cluster.Client.Delete(t.Context(), object.DeepCopy()))
	await(t, newChecker(t, nil, nil, all...), "all is effective, without the start-up policy", func(found map[string]canary.Finding) bool {
		_, optional := found[startUp.Name]
		return silent(found) && !optional
	})
	requests := make(chan string, 1000)
	manager, err := cluster.RunWith(t.Context(), func(cfg *rest.Config) {
		cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(request *http.Request) (*http.Response, error) {
				response, err := next.RoundTrip(request)
				if err == nil {
					requests <- fmt.Sprint(response.StatusCode, " ", request.Method, " ", request.URL)
				}
				return response, err
			})
		})
	}, operator.Options{Mode: guard.ModeWarn, OwnNamespace: controlplane.Namespace})
	expect.NoError(t, err)
	refused := map[string]int{}
	for request := range requests {
		if status, what, _ := strings.Cut(request, " "); status >= "400" {
			if status == "422" && strings.Contains(what, "sendInitialEvents=true") {
				// From an API server without watch-lists, client-go learns so to list.
				continue
			}
			refused[strings.Split(what, "?")[0]]++
			if !strings.HasSuffix(what, "?dryRun=All") {
				t.Errorf("failed: %s", request)
			}
		}
		// The last request of a check.
		if strings.Contains(request, "/pods?") {
			break
		}
	}
	expect.NoError(t, manager.Stop())
	t.Logf("refused in one check: %v", refused)
	expect.NoError(t, cluster.Client.Create(t.Context(), object))
}

// TestStart runs the check as the manager does: a policy that is gone is told after three
// checks, once, and its repair after one.
func TestStart(t *testing.T) {
	policy := policies(t)[0]
	object := read(t, policy.ValidatingAdmissionPolicy)
	checks := make(chan struct{}, 100)
	counting := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if strings.HasSuffix(request.URL.Path, "/"+policy.Name) {
				checks <- struct{}{}
			}
			return next.RoundTrip(request)
		})
	}
	recorder := events.NewFakeRecorder(100)
	checker := newChecker(t, recorder, counting, policy)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(canary.Metrics...)
	expect.NoError(t, cluster.Client.Delete(t.Context(), object.DeepCopy()))
	go func() { _ = checker.Start(t.Context()) }()
	says := func(want string) {
		t.Helper()
		if got := <-recorder.Events; !strings.HasPrefix(got, want) {
			t.Errorf("got the event %q, want %q", got, want)
		}
	}
	metric := func(cause string) {
		t.Helper()
		value := "0"
		if cause != "" {
			value = "1"
		}
		want := `# HELP scopegate_guard_ineffective 1 for a policy of the guard that is not effective, else 0; scopegate-canary stands for the namespace in which they are tried. The log and an event tell more. Only in guard mode and from the leader.
# TYPE scopegate_guard_ineffective gauge
scopegate_guard_ineffective{cause="",policy="scopegate-canary"} 0
scopegate_guard_ineffective{cause="` + cause + `",policy="` + policy.Name + `"} ` + value + "\n"
		expect.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(want), "scopegate_guard_ineffective"))
	}
	says("Warning GuardIneffective it is not effective: ValidatingAdmissionPolicy " + policy.Name + " is not installed")
	if len(checks) != 3 {
		t.Errorf("it is told after %d checks, want 3", len(checks))
	}
	metric("Missing")
	expect.NoError(t, cluster.Client.Create(t.Context(), object.DeepCopy()))
	says("Normal GuardEffective it is effective again")
	metric("")
	if n, err := testutil.GatherAndCount(registry, "scopegate_guard_check_timestamp_seconds"); n != 1 || err != nil {
		t.Errorf("%d times of a complete check (%v), want 1", n, err)
	}
	if len(recorder.Events) > 0 {
		t.Errorf("another event: %s", <-recorder.Events)
	}
}
