package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/scopegate/scopegate/internal/lint"
)

// ANSI styles.
const (
	bold   = "1"
	red    = "1;31"
	yellow = "1;33"
	faint  = "2"
)

func writeText(out io.Writer, report lint.Report, options Options) error {
	paint := func(style, text string) string {
		if !options.Color {
			return text
		}
		return "\x1b[" + style + "m" + text + "\x1b[0m"
	}
	var text strings.Builder
	for _, finding := range report.Findings {
		style := yellow
		if finding.Severity == lint.Error {
			style = red
		}
		fmt.Fprintf(&text, "%s %s %s %s\n", paint(bold, fmt.Sprintf("%s:%d:%d:", printable(finding.File), finding.Line, finding.Column)),
			paint(style, string(finding.Severity)+":"), printable(finding.Text()), paint(faint, "["+finding.Rule+"]"))
		if source := printable(finding.Source); source != "" {
			fmt.Fprintf(&text, "  %s\n  %s\n", source, paint(style, caret(finding)))
		}
	}
	text.WriteString(summary(report) + "\n")
	_, err := io.WriteString(out, text.String())
	return err
}

// caret returns a line with a caret below the column. It keeps tabs before it, so
// that the two lines align.
func caret(finding lint.Finding) string {
	var before strings.Builder
	column := 1
	for _, letter := range finding.Source {
		if column >= finding.Column {
			break
		}
		if letter != '\t' {
			letter = ' '
		}
		before.WriteRune(letter)
		column++
	}
	return before.String() + "^"
}

// printable replaces unprintable characters, so that a manifest can't send
// commands to the terminal.
func printable(text string) string {
	return strings.Map(func(letter rune) rune {
		if letter == '\t' || unicode.IsPrint(letter) {
			return letter
		}
		return '�'
	}, text)
}
