package lint_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/lint"
)

// FuzzLint gives any text to the linter. It must end without a panic, place every
// finding in the text, and read what kubectl reads.
func FuzzLint(f *testing.F) {
	for _, seed := range []string{
		bad, badJSON, configText + oidcText + serverText("  authServerRef: {name: login}\n"), "a: &a [*a]\n", "\ufeff---\r\na: yes\r\n...\r\nb: 0o17\n",
		"kind: List\nitems:\n" + item(bad), "a: [\n---\nb: {c: d, <<: [{e: f}]}\n", "1: 1e3\n.5: !!str 1\nt: 2001-01-01\nu: 18446744073709551615\nn: ~\n", badJSON + badJSON,
	} {
		f.Add([]byte(seed))
	}
	files, err := filepath.Glob(testdata + "/*/*/reject-*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for i, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // A file of the corpus.
		if err != nil {
			f.Fatal(err)
		}
		if i%10 == 0 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := lint.Lint(t.Context(), []lint.Source{{Name: "f", Text: text}}, lint.Options{Guard: len(text)%2 == 0, Old: []lint.Source{{Name: "old", Text: text}}})
		if err != nil {
			t.Fatal(err)
		}
		// YAML also ends a line at a lone carriage return and at three letters of
		// Unicode.
		lines := 1
		for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += bytes.Count(text, []byte(end))
		}
		for _, finding := range found.Findings {
			if finding.Line < 1 || finding.Line > lines+1 || finding.Column < 1 || finding.Column > len(text)+1 || finding.Message == "" || finding.Fix == "" {
				t.Errorf("in %d lines: %+v", lines, finding)
			}
		}
		compareValues(t, text)
	})
}

// compareValues reads a text of one document also with the library that kubectl
// reads with.
func compareValues(t *testing.T, text []byte) {
	got, ok := lint.Values(text)
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	if !ok || len(got) != 1 || bytes.HasPrefix(trimmed, []byte("{")) || bytes.Contains(text, []byte("---")) || bytes.Contains(text, []byte("...")) {
		return
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		return
	}
	var want any
	if err := utiljson.Unmarshal(asJSON, &want); err != nil {
		return
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("values (-kubectl +linter):\n%s", diff)
	}
}
