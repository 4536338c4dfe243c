package lint_test

import (
	"os"
	"testing"
	"runtime/debug"

	"github.com/scopegate/scopegate/internal/lint"
)

func BenchmarkLint(b *testing.B) {
	text, err := os.ReadFile("/tmp/lb/1001.yaml")
	if err != nil {
		b.Fatal(err)
	}
	debug.SetGCPercent(400)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lint.Lint(b.Context(), []lint.Source{{Name: "a", Text: text}}, lint.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
