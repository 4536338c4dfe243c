package sabotage_test

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// failing makes the requests fail whose method and path have this start and this end.
func failing(method, end string) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return promhttp.RoundTripperFunc(func(request *http.Request) (*http.Response, error) {
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
	await(t, newChecker(t, nil, policies(t)...), "all is effective", silent)
	changed := read(t, policies(t)[0].Bindings[0])
	expect.NoError(t, overwrite(t.Context(), with(changed, []any{"Audit"}, "spec", "validationActions")))
	defer func() { expect.NoError(t, overwrite(t.Context(), changed.DeepCopy())) }()
	everything := append(slices.Clone(guard.PolicyNames), guard.StartUpPolicy, guard.CanaryNamespace)
	for name, tc := range map[string]struct {
		method, end string
		unknown     []string
	}{
		"a policy":                             {"GET", "/validatingadmissionpolicies/scopegate-consumers", []string{guard.ConsumersPolicy}},
		"a binding":                            {"GET", "/scopegate-pods-of-mcpservers-deny", []string{guard.PodsOfMCPServersPolicy}},
		"whether the optional policy is there": {"GET", "/validatingadmissionpolicies", []string{guard.StartUpPolicy}},
		"the stored config":                    {"GET", "/mcpexternalauthconfigs/scopegate-canary", []string{guard.CanaryNamespace}},
		"one of two tries":                     {"POST", "/mcpremoteproxies", []string{guard.ConsumersPolicy, guard.CanaryNamespace}},
		"a pod":                                {"POST", "/pods", []string{guard.CanaryNamespace}},
	} {
		t.Run(name, func(t *testing.T) {
			checker := newChecker(t, failing(tc.method, tc.end), policies(t)...)
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
