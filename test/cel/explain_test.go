package cel_test

import (
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestEveryFieldIsDescribed checks what kubectl explain shows: each field has a
// description, and that of a list of scopes has the rule, the default and an example.
// TestVersionsAreTheSame compares the descriptions of the versions.
func TestEveryFieldIsDescribed(t *testing.T) {
	lists := map[string][]string{
		"baselineClientScopes": {"Each must be one of the effective scopes", "If empty, clients get", "Example: [openid, offline_access]"},
		"scopesSupported":      {"It must contain every entry of baselineClientScopes", "If empty, the effective scopes are", "Example: [openid"},
	}
	found := 0
	for _, kind := range loadSchemas(t) {
		corpus.Walk(kind.Structural, func(path string, at *schema.Structural) {
			// The API server describes the metadata.
			isField := path != "" && !strings.HasSuffix(path, "[]") && !strings.HasSuffix(path, "{}")
			if isField && path != "apiVersion" && path != "kind" && path != "metadata" && at.Description == "" {
				t.Errorf("%s has no description of %s", kind.Kind, path)
			}
			if wants := lists[path[strings.LastIndex(path, ".")+1:]]; wants != nil {
				found++
				expect.Contains(t, strings.Join(strings.Fields(at.Description), " "), wants...)
			}
		})
	}
	if found != 4 {
		t.Errorf("found %d lists of scopes, want two in MCPExternalAuthConfig and two in VirtualMCPServer", found)
	}
}
