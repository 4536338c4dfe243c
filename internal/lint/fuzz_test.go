package lint_test

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/scopegate/scopegate/internal/lint"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// FuzzLint lints arbitrary text. The linter must not panic, must place every
// finding in the text, and must read what kubectl reads.
func FuzzLint(f *testing.F) {
	for _, seed := range []string{
		bad, badJSON, configText + oidcText + serverText("  authServerRef: {name: login}\n"), "a: &a [*a]\n", "\ufeff---\r\na: yes\r\n...\r\nb: 0o17\n",
		"kind: List\nitems:\n" + item(bad), "a: [\n---\nb: {c: d, <<: [{e: f}]}\n", "1: 1e3\n.5: !!str 1\nt: 2001-01-01\nu: 18446744073709551615\nn: ~\n", badJSON + badJSON,
		"a: |\n  no newline", "a: yes\nb: [on, N, 'no', 0o17, 017, 1_000, 1e3, 1.0, .5, 2001-01-01, 1:30, !!binary aGk=]\nyes: &c {d: e}\n7: {<<: *c}\n",
	} {
		f.Add([]byte(seed))
	}
	files, err := filepath.Glob(testdata + "/*/*/reject-*.yaml")
	expect.NoError(f, err)
	for i, file := range files {
		text := expect.ReadFile(f, file)
		if i%10 == 0 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := lint.Lint(t.Context(), []lint.Source{{Name: "f", Text: text}}, lint.Options{Guard: len(text)%2 == 0, Old: []lint.Source{{Name: "old", Text: text}}})
		expect.NoError(t, err)
		// YAML also ends a line at a lone carriage return and at three Unicode
		// characters.
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

// compareValues also reads a text as kubectl does. kubectl ignores what follows
// an end marker in a document, and treats JSON that YAML follows as JSON. It
// removes one carriage return at the end of a line, and accepts a comment
// directly after three dashes.
func compareValues(t *testing.T, text []byte) {
	mixed := bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) && bytes.Contains(text, []byte("---"))
	for _, differs := range []string{"...", "---#", "\r\r\n", "\ufeff"} {
		mixed = mixed || bytes.Contains(text, []byte(differs))
	}
	if mixed {
		return
	}
	var diff string
	// Of two keys with the same JSON form, such as 1 and "1", the library uses
	// either.
	for range 20 {
		got, ok := lint.Values(text)
		want, err := kubectlValues(text)
		if !ok || err != nil {
			return
		}
		null := func(value any) bool { return value == nil }
		if diff = cmp.Diff(slices.DeleteFunc(want, null), slices.DeleteFunc(got, null), cmpopts.EquateEmpty()); diff == "" {
			return
		}
	}
	t.Errorf("values (-kubectl +linter):\n%s", diff)
}

func kubectlValues(text []byte) ([]any, error) {
	var values []any
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var raw runtime.RawExtension
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		var value any
		if len(raw.Raw) > 0 {
			err = utiljson.Unmarshal(raw.Raw, &value)
		}
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
}
