package cel_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/client-go/discovery"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// atOnce is the number of kubectl processes that run at a time.
const atOnce = 4

// explained matches a field that kubectl explain lists, with its description.
var explained = regexp.MustCompile(`(?m)^  (\w+)\t<.*\n(?:  enum: .*\n)?((?:    .*\n)*)`)

// TestExplain asks kubectl explain for every object whose fields scopegate
// knows, in both versions: it must describe each of them.
func TestExplain(t *testing.T) {
	awaitOpenAPI(t)
	slots, cache := make(chan struct{}, atOnce), t.TempDir()
	for _, kind := range loadSchemas(t) {
		all := levels(kind.Structural)
		all[""] = kind.Structural
		for path, level := range all {
			for _, version := range versions {
				t.Run(fmt.Sprintf("%s/%s/%s", kind.Kind, version, path), func(t *testing.T) {
					t.Parallel()
					slots <- struct{}{}
					defer func() { <-slots }()
					checkExplained(t, explain(t, cache, version, kind.Kind, path), level)
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

// awaitOpenAPI waits until the API server has published the schema of every kind:
// it does so in the background, after it serves them.
func awaitOpenAPI(t *testing.T) {
	t.Helper()
	discovery, err := discovery.NewDiscoveryClientForConfig(cluster.Config)
	expect.NoError(t, err)
	expect.Eventually(t, "the OpenAPI schemas of all kinds are published", func(ctx context.Context) (bool, error) {
		for _, version := range versions {
			text, err := discovery.RESTClient().Get().AbsPath("/openapi/v3/apis/toolhive.stacklok.dev/" + version).DoRaw(ctx)
			for _, kind := range loadSchemas(t) {
				if err != nil || !strings.Contains(string(text), fmt.Sprintf(`"kind":%q`, kind.Kind)) {
					return false, nil //nolint:nilerr // It is not there yet.
				}
			}
		}
		return true, nil
	})
}

// explain runs kubectl explain. It has a discovery cache of its own, because
// the user's cache may have another API server at the same port.
func explain(t *testing.T, cache, version, kind, path string) string {
	t.Helper()
	text, stderr, err := cluster.Kubectl(t.Context(), nil, "explain",
		strings.TrimSuffix(strings.ToLower(kind)+"."+strings.ReplaceAll(path, "[]", ""), "."),
		"--api-version=toolhive.stacklok.dev/"+version, "--cache-dir="+cache)
	if err != nil {
		t.Fatalf("kubectl explain: %v: %s", err, stderr)
	}
	return text
}

// TestExplainBaseline checks that the description of each list of scopes has the
// rule, the default and an example.
func TestExplainBaseline(t *testing.T) {
	awaitOpenAPI(t)
	cache := t.TempDir()
	fields := map[string]string{
		"MCPExternalAuthConfig": "spec.embeddedAuthServer",
		"VirtualMCPServer":      "spec.authServerConfig",
	}
	wants := map[string][]string{
		"baselineClientScopes": {"Each must be one of the effective scopes", "If empty, clients get", "Example: [openid, offline_access]"},
		"scopesSupported":      {"It must contain every entry of baselineClientScopes", "If empty, the effective scopes are", "Example: [openid"},
	}
	for kind, config := range fields {
		for field, texts := range wants {
			for _, version := range versions {
				t.Run(kind+"/"+field+"/"+version, func(t *testing.T) {
					t.Parallel()
					got := strings.Join(strings.Fields(explain(t, cache, version, kind, config+"."+field)), " ")
					expect.Contains(t, got, texts...)
				})
			}
		}
	}
}
