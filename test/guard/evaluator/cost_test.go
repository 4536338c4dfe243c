package evaluator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/evaluator"
)

// scopeLines are lines of scopes of about so many bytes.
func scopeLines(format string, bytes int) string {
	var text strings.Builder
	for i := 0; text.Len() < bytes; i++ {
		fmt.Fprintf(&text, format, i)
	}
	return text.String()
}

// TestCosts measures what the policy costs, as a share of what the API server
// spends on it at most: on a run config of 5 KB, on the largest lists that it reads,
// and on run configs as large as a ConfigMap can be.
func TestCosts(t *testing.T) {
	const typical, lists, largest = 5_000, 99_000, 900_000
	e := evaluator.New(t, nil)
	jsonScopes := func(bytes int) string {
		return replaced(jsonText, "      \"openid\"\n    ]", scopeLines("      \"scope-%d\",\n", bytes)+"      \"openid\"\n    ]")
	}
	yamlScopes := func(bytes int) string {
		return replaced(yamlText, "    - openid\nbase", scopeLines("    - scope-%d\n", bytes)+"    - openid\nbase")
	}
	for name, tc := range map[string]struct {
		key, text string
		// most is the share that it may cost, and read that it is.
		most float64
		read bool
	}{
		"JSON, 5 KB":                 {toolhive.RunConfigKey, replaced(jsonText, "example.com/image", strings.Repeat("x", typical)), 0.01, true},
		"YAML, 5 KB":                 {toolhive.AuthServerConfigKey, yamlText + "other: " + strings.Repeat("x", typical), 0.02, true},
		"JSON, 900 KB":               {toolhive.RunConfigKey, replaced(jsonText, "example.com/image", strings.Repeat("x", largest)), 0.2, true},
		"JSON, 900 KB in many lines": {toolhive.RunConfigKey, replaced(jsonText, `"example.com/image"`, "[\n"+scopeLines("    \"scope-%d\",\n", largest)+"    \"x\"\n  ]"), 0.2, true},
		"JSON, 99 KB of scopes":      {toolhive.RunConfigKey, jsonScopes(lists), 0.4, true},
		"YAML, 99 KB of scopes":      {toolhive.AuthServerConfigKey, yamlScopes(lists), 0.4, true},
		"YAML, 99 KB":                {toolhive.AuthServerConfigKey, yamlText + "other: " + strings.Repeat("x", lists), 0.4, true},
		"JSON, 900 KB of scopes":     {toolhive.RunConfigKey, jsonScopes(largest), 0.2, false},
		"YAML, 900 KB of scopes":     {toolhive.AuthServerConfigKey, yamlScopes(largest), 0.2, false},
		"YAML, 900 KB":               {toolhive.AuthServerConfigKey, yamlText + "other: " + strings.Repeat("x", largest), 0.2, false},
	} {
		t.Run(name, func(t *testing.T) {
			object := evaluator.ConfigMap(map[string]string{tc.key: tc.text})
			outcome, err := e.Evaluate(t.Context(), object, nil)
			share := float64(outcome.Cost) / evaluator.Budget
			t.Logf("%d bytes: cost %d, %.4f of the limit", len(tc.text), outcome.Cost, share)
			if err != nil || outcome.Admitted == tc.read || share > tc.most {
				t.Errorf("cost %d is %.3f of the limit, want at most %.3f; admitted: %t; %v", outcome.Cost, share, tc.most, outcome.Admitted, err)
			}
			// An update reads two texts.
			if _, err := e.Evaluate(t.Context(), object, object); err != nil {
				t.Error(err)
			}
		})
	}
}
