// Package report writes what package lint found: for people, for programs and
// for the systems that show findings beside the code.
package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/lint"
)

// Options are what a report says beside the findings.
type Options struct {
	// Color paints text for a terminal.
	Color bool
	// Version of scopegate.
	Version string
}

// Writer writes a report in a format.
type Writer func(io.Writer, lint.Report, Options) error

// Text is the name of the format for people.
const Text = "text"

var writers = map[string]Writer{Text: writeText, "json": writeJSON, "sarif": writeSARIF, "junit": writeJUnit, "github": writeGitHub}

// Formats returns the names of the formats.
func Formats() []string { return slices.Sorted(maps.Keys(writers)) }

// In returns the writer of a format.
func In(format string) (Writer, error) {
	write, ok := writers[format]
	if !ok {
		return nil, fmt.Errorf("the format must be one of %s, not %q", strings.Join(Formats(), ", "), format)
	}
	return write, nil
}

// summary is one sentence on a report.
func summary(report lint.Report) string {
	text := fmt.Sprintf("%s, %s in %s of %s", count(report.Count(lint.Error), "error"), count(report.Count(lint.Warning), "warning"),
		count(len(report.Objects), "object"), count(report.Files, "file"))
	if report.Skipped > 0 {
		text += fmt.Sprintf("; %s of other kinds skipped", count(report.Skipped, "object"))
	}
	return text
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
