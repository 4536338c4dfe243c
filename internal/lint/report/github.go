package report

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/scopegate/scopegate/internal/lint"
)

var (
	escapeData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	escapeProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// writeGitHub writes workflow commands, which GitHub shows as annotations.
func writeGitHub(out io.Writer, report lint.Report, _ Options) error {
	var text strings.Builder
	for _, finding := range report.Findings {
		fmt.Fprintf(&text, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", finding.Severity, escapeProperty.Replace(filepath.ToSlash(finding.File)),
			finding.Line, finding.Column, escapeProperty.Replace(finding.Rule), escapeData.Replace(finding.Text()))
	}
	if report.Failure != "" {
		fmt.Fprintf(&text, "::error title=%s::%s\n", failed, escapeData.Replace(report.Failure))
	}
	_, err := io.WriteString(out, text.String())
	return err
}
