package report

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/scopegate/scopegate/internal/lint"
)

const (
	home = "https://github.com/scopegate/scopegate"
	help = home + "/blob/main/docs/lint.md#rules"
)

// writeSARIF writes SARIF 2.1.0, for code scanning.
func writeSARIF(out io.Writer, report lint.Report, options Options) error {
	text, err := json.MarshalIndent(newSARIF(report, options), "", "  ")
	if err != nil {
		return err
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

func newSARIF(report lint.Report, options Options) *sarif.Report {
	run := sarif.NewRunWithInformationURI("scopegate", home)
	if options.Version != "" {
		run.Tool.Driver.WithVersion(options.Version)
	}
	for _, rule := range lint.Rules() {
		run.AddRule(rule.ID).
			WithShortDescription(sarif.NewMultiformatMessageString().WithText(rule.About)).
			WithHelp(sarif.NewMultiformatMessageString().WithText(rule.Fix)).
			WithHelpURI(help).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(string(rule.Severity)))
	}
	for _, finding := range report.Findings {
		run.AddResult(result(run, finding))
	}
	if report.Failure != "" {
		run.AddInvocation(sarif.NewInvocation().WithExecutionSuccessful(false).
			AddToolExecutionNotification(sarif.NewNotification().WithLevel("error").WithMessage(sarif.NewTextMessage(report.Failure))))
	}
	written := sarif.NewReport()
	written.AddRun(run)
	return written
}

func result(run *sarif.Run, finding lint.Finding) *sarif.Result {
	location := sarif.NewLocationWithPhysicalLocation(sarif.NewPhysicalLocation().
		WithArtifactLocation(sarif.NewSimpleArtifactLocation(uri(finding.File))).
		WithRegion(sarif.NewRegion().WithStartLine(finding.Line).WithStartColumn(finding.Column)))
	if finding.Object != nil {
		location.AddLogicalLocation(sarif.NewLogicalLocation().WithKind("object").WithFullyQualifiedName(finding.Object.String()))
	}
	return sarif.NewRuleResult(finding.Rule).
		WithRuleIndex(run.GetRuleIndex(finding.Rule)).
		WithLevel(string(finding.Severity)).
		WithMessage(sarif.NewTextMessage(finding.Text())).
		WithLocations([]*sarif.Location{location})
}

// uri returns a file's path as a relative or an absolute URI reference.
func uri(file string) string {
	reference := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		reference.Scheme = "file"
	}
	return reference.String()
}
