package guard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	apiservercel "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/test/corpus"
	"github.com/scopegate/scopegate/test/guard/lockeval"
)

const (
	jsonHead = "{\n  \"schema_version\": \"v0.1.0\",\n"
	// lockSection is what ToolHive's encoder writes.
	lockSection = "  \"embedded_auth_server_config\": {\n    \"schema_version\": \"v0.1.0\",\n    \"baseline_client_scopes\": [\n%s\n    ],\n    \"allowed_audiences\": null\n  }\n}"
	jsonFault   = jsonHead + "  \"image\": %q,\n" + lockSection
	yamlHead    = "schema_version: v0.1.0\n"
)

func entries(format, between string, count int) string {
	all := make([]string, count)
	for i := range all {
		all[i] = fmt.Sprintf(format, fmt.Sprintf("scope-%05d", i))
	}
	return strings.Join(all, between)
}

// TestLockCosts gives the expressions texts that are as large or as dear as a
// ConfigMap can hold: they are judged, and not given up for their cost.
func TestLockCosts(t *testing.T) {
	const most = 1 << 20
	e, err := lockeval.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	admin, fill := `      "admin"`, func(unit string, to int) string { return strings.Repeat(unit, to/len(unit)) }
	for name, tc := range map[string]struct {
		key, text, state string
		missing          int
	}{
		"ordinary":                       {"runconfig.json", fmt.Sprintf(jsonFault, "image", admin), lockeval.Readable, 1},
		"as large as is proven":          {"runconfig.json", fmt.Sprintf(jsonFault, fill("x", 39_000), admin), lockeval.Readable, 1},
		"as many lines":                  {"runconfig.json", jsonHead + "  \"x\": [\n" + entries("    %q", ",\n", 2_000) + "\n  ],\n" + fmt.Sprintf(lockSection, admin), lockeval.Readable, 1},
		"larger":                         {"runconfig.json", fmt.Sprintf(jsonFault, fill("x", 42_000), admin), lockeval.Readable, 1},
		"900 KB":                         {"runconfig.json", fmt.Sprintf(jsonFault, fill("x", 900_000), admin), lockeval.Readable, 1},
		"900 KB of lines":                {"runconfig.json", jsonHead + "  \"x\": [\n" + entries("    %q", ",\n", 45_000) + "\n  ],\n" + fmt.Sprintf(lockSection, admin), lockeval.Readable, 1},
		"a baseline of 100":              {"runconfig.json", fmt.Sprintf(jsonFault, "x", entries("      %q", ",\n", 100)), lockeval.Readable, 100},
		"a baseline of 101":              {"runconfig.json", fmt.Sprintf(jsonFault, "x", entries("      %q", ",\n", 101)), lockeval.Unreadable, 0},
		"a large section":                {"runconfig.json", fmt.Sprintf(jsonFault, "x", entries("      %q", ",\n", 30_000)), lockeval.Unreadable, 0},
		"nothing but the key":            {"runconfig.json", fill(`"embedded_auth_server_config": "baseline_client_scopes" `, most), lockeval.Unreadable, 0},
		"nothing but escapes":            {"runconfig.json", fill(`\u0065`, most), lockeval.Unreadable, 0},
		"nothing but lines":              {"runconfig.json", "baseline_client_scopes" + fill("\n", most), lockeval.None, 0},
		"nothing but depth":              {"runconfig.json", jsonHead + `"baseline_client_scopes": "embedded_auth_server_config"` + fill("\n      {", 39_000), lockeval.Unreadable, 0},
		"YAML":                           {"authserver-config.yaml", yamlHead + "baseline_client_scopes:\n    - admin\nallowed_audiences: []\n", lockeval.Readable, 1},
		"YAML, as large as is read":      {"authserver-config.yaml", yamlHead + "scopes_supported:\n" + entries("    - %s", "\n", 2_000) + "\nbaseline_client_scopes:\n    - admin\nallowed_audiences: []\n", lockeval.Readable, 1},
		"YAML, as large with a block":    {"authserver-config.yaml", yamlHead + "issuer: |-\n" + fill("    a\n", 7_800) + "baseline_client_scopes:\n    - admin\nallowed_audiences: []\n", lockeval.Readable, 1},
		"YAML, a baseline of 100":        {"authserver-config.yaml", yamlHead + "baseline_client_scopes:\n" + entries("    - %s", "\n", 100) + "\nallowed_audiences: []\n", lockeval.Readable, 100},
		"YAML, both lists":               {"authserver-config.yaml", yamlHead + "scopes_supported:\n" + entries("    - '%s '", "\n", 1_500) + "\nbaseline_client_scopes:\n" + entries("    - %s", "\n", 100) + "\nallowed_audiences: []\n", lockeval.Readable, 100},
		"YAML, too large":                {"authserver-config.yaml", yamlHead + "baseline_client_scopes:\n" + entries("    - %s", "\n", 50_000) + "\nallowed_audiences: []\n", lockeval.Unreadable, 0},
		"YAML, as many entries":          {"authserver-config.yaml", yamlHead + "scopes_supported:\n" + strings.Repeat("    - 'a'\n", 3_800) + "baseline_client_scopes:\n" + entries("    - %s", "\n", 100) + "\nallowed_audiences: []\n", lockeval.Readable, 100},
		"as many entries":                {"runconfig.json", jsonHead + "  \"embedded_auth_server_config\": {\n    \"schema_version\": \"v0.1.0\",\n    \"scopes_supported\": [\n" + strings.Repeat("      \"a\",\n", 3_000) + "      \"a\"\n    ],\n" + strings.SplitN(fmt.Sprintf(lockSection, entries("      %q", ",\n", 100)), "\n", 3)[2], lockeval.Readable, 100},
		"YAML, nothing but backslashes":  {"authserver-config.yaml", fill(`\`, most), lockeval.None, 0},
		"YAML, nothing but block starts": {"authserver-config.yaml", yamlHead + fill("baseline_client_scopes: |-\n", 7_500), lockeval.Unreadable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			object := lockeval.ConfigMap(map[string]string{tc.key: tc.text})
			outcome, err := e.Evaluate(t.Context(), object, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if outcome.State != tc.state || outcome.Missing != tc.missing && tc.state == lockeval.Readable {
				t.Errorf("got %+v, want %s and %d missing", outcome, tc.state, tc.missing)
			}
			if outcome.Cost > apiservercel.RuntimeCELCostBudget/2 {
				t.Errorf("costs %d of %d", outcome.Cost, apiservercel.RuntimeCELCostBudget)
			}
			if _, cost, err := e.Matches(t.Context(), object); err != nil || cost > 1000 {
				t.Errorf("the conditions cost %d: %v", cost, err)
			}
			t.Logf("%d bytes cost %d", len(tc.text), outcome.Cost)
		})
	}
}

// TestLockMatches: what other ConfigMaps cost is next to nothing.
func TestLockMatches(t *testing.T) {
	e, err := lockeval.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*corev1.ConfigMap)
		want   bool
		most   int64
	}{
		"ToolHive's":          {func(*corev1.ConfigMap) {}, true, 60},
		"of another key":      {func(c *corev1.ConfigMap) { c.Data = map[string]string{"x": strings.Repeat("x", 900_000)} }, false, 60},
		"empty":               {func(c *corev1.ConfigMap) { c.Data = nil }, false, 60},
		"of somebody else":    {func(c *corev1.ConfigMap) { c.OwnerReferences = nil }, false, 60},
		"of another operator": {func(c *corev1.ConfigMap) { c.OwnerReferences[0].Kind = "Deployment" }, false, 60},
	} {
		t.Run(name, func(t *testing.T) {
			object := lockeval.ConfigMap(map[string]string{"runconfig.json": "{}"})
			tc.change(object)
			got, cost, err := e.Matches(t.Context(), object)
			if err != nil || got != tc.want || cost > tc.most {
				t.Errorf("got %v at the cost of %d: %v", got, cost, err)
			}
		})
	}
}

// TestLockOldestKubernetes compiles every expression of the validating policies
// as the oldest supported kube-apiserver does. The mutating ones need 1.36.
func TestLockOldestKubernetes(t *testing.T) {
	var variables []cel.EnvOption
	for _, name := range []string{"object", "oldObject", "params", "request", "namespaceObject", "variables"} {
		variables = append(variables, cel.Variable(name, cel.DynType))
	}
	oldest := version.MustParseGeneric(corpus.OldestKubernetes)
	set, err := environment.MustBaseEnvSet(oldest).Extend(environment.VersionedOptions{IntroducedVersion: oldest, EnvOptions: variables})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range guard.Lock() {
		policy, ok := object.(*admissionv1.ValidatingAdmissionPolicy)
		if !ok {
			continue
		}
		if *policy.Spec.FailurePolicy != admissionv1.Ignore {
			t.Errorf("%s: an expression that can't be evaluated locks users out", policy.Name)
		}
		expressions := []string{policy.Spec.Validations[0].Expression, policy.Spec.Validations[0].MessageExpression}
		for _, variable := range policy.Spec.Variables {
			expressions = append(expressions, variable.Expression)
		}
		for _, condition := range policy.Spec.MatchConditions {
			expressions = append(expressions, condition.Expression)
		}
		for _, expression := range expressions {
			if _, issues := set.NewExpressionsEnv().Compile(expression); issues.Err() != nil {
				t.Errorf("%s: %v", policy.Name, issues.Err())
			}
		}
	}
}
