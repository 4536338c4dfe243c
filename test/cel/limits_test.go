package cel_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// The bounds of the lists of scopes.
const (
	mostBaseline  = 10
	mostScopes    = 1000
	longestScope  = 256
	notInTheLists = 'z'
)

// TestLargestLists fills the lists to their bounds. The scopes differ only in
// their last letters, which makes them the costliest to compare. The rules must
// still evaluate within the cost limits at run time.
func TestLargestLists(t *testing.T) {
	quiet, namespace := cluster.WithoutWarnings(t), cluster.Namespace(t)
	supported := longScopes(mostScopes, 'a')
	verdicts := map[string]struct {
		baseline []any
		message  string
	}{
		"accept": {baseline: supported[mostScopes-mostBaseline:]},
		"reject": {
			baseline: longScopes(mostBaseline, notInTheLists),
			message:  fmt.Sprintf("Invalid value: scope %q is not in ", longScopes(1, notInTheLists)[0]),
		},
	}
	for rule, place := range map[string]struct{ base, list, baseline string }{
		"mcpexternalauthconfig": {
			"mcpexternalauthconfig/baseline-in-scopes-supported/accept-all-supported.yaml",
			"spec.embeddedAuthServer.scopesSupported", "spec.embeddedAuthServer.baselineClientScopes",
		},
		"virtualmcpserver": {
			"virtualmcpserver/baseline-in-advertised-scopes/accept-all-advertised.yaml",
			"spec.incomingAuth.oidcConfigRef.scopes", "spec.authServerConfig.baselineClientScopes",
		},
	} {
		for verdict, want := range verdicts {
			t.Run(rule+"/"+verdict, func(t *testing.T) {
				t.Parallel()
				object := corpus.As(findCase(t, place.base).Object, "v1beta1", namespace, verdict)
				set(t, object, place.list, supported)
				set(t, object, place.baseline, want.baseline)
				got := corpus.Causes(quiet.Create(t.Context(), object, client.DryRunAll))
				if want.message == "" && got == nil {
					return
				}
				if len(got) != 1 || want.message == "" || got[0].Field != place.baseline || !strings.HasPrefix(got[0].Message, want.message) {
					t.Errorf("want a rejection of %s with %.60q, got %+v", place.baseline, want.message, got)
				}
			})
		}
	}
}

// longScopes returns scopes of the greatest length that share all but their last
// letters.
func longScopes(count int, mark rune) []any {
	scopes := make([]any, count)
	for i := range scopes {
		tail := fmt.Sprintf("%c%04d", mark, i)
		scopes[i] = strings.Repeat("s", longestScope-len(tail)) + tail
	}
	return scopes
}

func findCase(t *testing.T, path string) corpus.Case {
	t.Helper()
	for _, c := range corpus.Cases(t, testdata) {
		if c.Path == path {
			return c
		}
	}
	t.Fatalf("no case %s", path)
	return corpus.Case{}
}

func set(t *testing.T, object *unstructured.Unstructured, path string, value any) {
	t.Helper()
	expect.NoError(t, unstructured.SetNestedField(object.Object, value, strings.Split(path, ".")...))
}
