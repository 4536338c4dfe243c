package cel_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// atOnce is how many kubectls run at a time.
const atOnce = 4

// explained matches a field that kubectl explain lists, with its description.
var explained = regexp.MustCompile(`(?m)^  (\w+)\t<.*\n(?:  enum: .*\n)?((?:    .*\n)*)`)

// TestExplain asks kubectl explain for every object whose fields scopegate
// knows, in both versions: it must describe each of them.
func TestExplain(t *testing.T) {
	slots := make(chan struct{}, atOnce)
	for _, kind := range loadSchemas(t) {
		all := levels(kind.Structural)
		all[""] = kind.Structural
		for path, level := range all {
			for _, version := range versions {
				t.Run(fmt.Sprintf("%s/%s/%s", kind.Kind, version, path), func(t *testing.T) {
					t.Parallel()
					slots <- struct{}{}
					defer func() { <-slots }()
					checkExplained(t, explain(t, version, kind.Kind, path), level)
				})
			}
		}
	}
}

func checkExplained(t *testing.T, text string, level *schema.Structural) {
	t.Helper()
	described := map[string]string{}
	for _, match := range explained.FindAllStringSubmatch(text, -1) {
		described[match[1]] = strings.TrimSpace(match[2])
	}
	for _, name := range slices.Sorted(maps.Keys(level.Properties)) {
		description := described[name]
		if description == "" || strings.Contains(description, "<no description>") {
			t.Errorf("kubectl explain does not describe %s:\n%s", name, text)
		}
	}
}

func explain(t *testing.T, version, kind, path string) string {
	t.Helper()
	text, stderr, err := cluster.Kubectl(t.Context(), nil, "explain",
		strings.TrimSuffix(strings.ToLower(kind)+"."+strings.ReplaceAll(path, "[]", ""), "."),
		"--api-version=toolhive.stacklok.dev/"+version)
	if err != nil {
		t.Fatalf("kubectl explain: %v: %s", err, stderr)
	}
	return text
}

// TestExplainBaseline wants the rule, the default and an example in the text that
// users turn to.
func TestExplainBaseline(t *testing.T) {
	fields := map[string]string{
		"MCPExternalAuthConfig": "spec.embeddedAuthServer",
		"VirtualMCPServer":      "spec.authServerConfig",
	}
	wants := map[string][]string{
		"baselineClientScopes": {"Rule: each must be among the effective scopes", "Default: empty", "Example: [openid, offline_access]"},
		"scopesSupported":      {"Every entry of baselineClientScopes must be one of them", "If empty, the effective scopes are", "Example: [openid"},
	}
	for kind, config := range fields {
		for field, texts := range wants {
			for _, version := range versions {
				t.Run(kind+"/"+field+"/"+version, func(t *testing.T) {
					t.Parallel()
					got := strings.Join(strings.Fields(explain(t, version, kind, config+"."+field)), " ")
					for _, want := range texts {
						if !strings.Contains(got, want) {
							t.Errorf("kubectl explain does not say %q:\n%s", want, got)
						}
					}
				})
			}
		}
	}
}
