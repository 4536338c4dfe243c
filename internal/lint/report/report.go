// Package report writes the findings of package lint: for people, for programs
// and for systems that show findings beside the code.
package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/lint"
)

// Options configure a report.
type Options struct {
	// Color enables colors for a terminal.
	Color bool
	// Version is the version of scopegate.
	Version string
}

// failed is the title of a report on an input that could not be validated.
const failed = "could not validate"

// Writer writes a report in one format.
type Writer func(io.Writer, lint.Report, Options) error

// Text is the name of the human-readable format.
const Text = "text"

var writers = map[string]Writer{Text: writeText, "json": writeJSON, "sarif": writeSARIF, "junit": writeJUnit, "github": writeGitHub}

// Formats returns the names of the formats.
func Formats() []string { return slices.Sorted(maps.Keys(writers)) }

// In returns the writer of a format, or an error that lists the formats.
func In(format string) (Writer, error) {
	write, ok := writers[format]
	if !ok {
		return nil, fmt.Errorf("the format must be one of %s, not %q", strings.Join(Formats(), ", "), format)
	}
	return write, nil
}

// summary returns a sentence about a report.
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
