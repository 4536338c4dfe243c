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

// Format is a way to write a report.
type Format string

// The formats.
const (
	Text   Format = "text"
	JSON   Format = "json"
	SARIF  Format = "sarif"
	JUnit  Format = "junit"
	GitHub Format = "github"
)

// Options are what a report says beside the findings.
type Options struct {
	// Color paints text for a terminal.
	Color bool
	// Version of scopegate.
	Version string
}

var writers = map[Format]func(io.Writer, lint.Report, Options) error{
	Text: writeText, JSON: writeJSON, SARIF: writeSARIF, JUnit: writeJUnit, GitHub: writeGitHub,
}

// Formats returns the names of the formats.
func Formats() []string {
	var names []string
	for _, format := range slices.Sorted(maps.Keys(writers)) {
		names = append(names, string(format))
	}
	return names
}

// Write writes a report in a format.
func Write(out io.Writer, format Format, report lint.Report, options Options) error {
	write, ok := writers[format]
	if !ok {
		return fmt.Errorf("there is no format %q", format)
	}
	return write(out, report, options)
}

// String, Set and Type make a Format the value of a flag.
func (f *Format) String() string { return string(*f) }

// Set accepts the name of a format.
func (f *Format) Set(name string) error {
	if writers[Format(name)] == nil {
		return fmt.Errorf("must be one of %s", strings.Join(Formats(), ", "))
	}
	*f = Format(name)
	return nil
}

// Type is what help calls the values.
func (f *Format) Type() string { return "format" }

// summary is one sentence on a report.
func summary(report lint.Report) string {
	text := fmt.Sprintf("%s, %s in %s of %s", count(report.Count(lint.Error), "error"), count(report.Count(lint.Warning), "warning"),
		count(report.Objects, "object"), count(report.Files, "file"))
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
