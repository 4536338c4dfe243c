package corpus_test

import (
	"strings"
	"testing"
	"testing/fstest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

const server = "apiVersion: toolhive.stacklok.dev/v1beta1\nkind: MCPServer\nmetadata:\n  name: a\nspec: {}\n"

// TestLoadRefuses checks that the loader rejects files that it would otherwise
// misread.
func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"no verdict in the name":   {"mcpserver/rule/case.yaml", server, "must start with accept- or reject-"},
		"folder of another kind":   {"mcpoidcconfig/rule/accept-a.yaml", server, "a MCPServer is in the folder of mcpoidcconfig"},
		"reject without cause":     {"mcpserver/rule/reject-a.yaml", server, "a reject case has cause lines"},
		"accept with cause":        {"mcpserver/rule/accept-a.yaml", "# cause: FieldValueInvalid spec.a no\n" + server, "an accept case has none"},
		"cause without message":    {"mcpserver/rule/reject-a.yaml", "# cause: FieldValueInvalid spec.a\n" + server, "<reason> <field path> <message>"},
		"cause after another line": {"mcpserver/rule/reject-a.yaml", "# note\n# cause: FieldValueInvalid spec.a no\n" + server, "a reject case has cause lines"},
		"duplicate field":          {"mcpserver/rule/accept-a.yaml", server + "spec: {}\n", `"spec" already set`},
		"nothing at all":           {"mcpserver/accept-a.yaml", server, "no cases"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := corpus.Load(fstest.MapFS{c.file: {Data: []byte(c.text)}})
			expect.Error(t, err, c.want)
		})
	}
}

// TestCausesAreKept replaces causes and reads them back.
func TestCausesAreKept(t *testing.T) {
	want := []metav1.StatusCause{
		{Type: "FieldValueInvalid", Field: "spec.a[0]", Message: `Invalid value: "x" # not a comment`},
		{Type: "FieldValueRequired", Field: "spec.b", Message: "Required value: b"},
	}
	text := corpus.WithCauses([]byte("# cause: FieldValueInvalid spec.old old\n"+server), want)
	cases, err := corpus.Load(fstest.MapFS{"mcpserver/rule/reject-a.yaml": {Data: text}})
	expect.NoError(t, err)
	expect.Equal(t, "causes", want, cases[0].Causes)
}

// TestCasesAreNamedApart checks that an object has the name of its file, so that
// the cases can be applied side by side.
func TestCasesAreNamedApart(t *testing.T) {
	cases := corpus.Cases(t, "../../../test/testdata")
	for _, c := range cases {
		if !strings.HasSuffix(c.Path, "/"+c.Object.GetName()+".yaml") || c.Object.GetNamespace() != "" || c.Object.GetAPIVersion() != "toolhive.stacklok.dev/v1beta1" {
			t.Errorf("%s: want a v1beta1 object of the file's name without a namespace, got %s %s/%s",
				c.Path, c.Object.GetAPIVersion(), c.Object.GetNamespace(), c.Object.GetName())
		}
	}
}
