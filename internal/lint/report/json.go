package report

import (
	"encoding/json"
	"io"

	"github.com/scopegate/scopegate/internal/lint"
)

// apiVersion is the version of the report in JSON. A breaking change gets a new
// version.
const apiVersion = "scopegate.dev/lint/v1"

type jsonReport struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Summary    jsonSummary    `json:"summary"`
	Findings   []lint.Finding `json:"findings"`
	Error      string         `json:"error,omitempty"`
}

type jsonSummary struct {
	Files    int `json:"files"`
	Objects  int `json:"objects"`
	Skipped  int `json:"skipped"`
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
}

func writeJSON(out io.Writer, report lint.Report, _ Options) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(jsonReport{
		APIVersion: apiVersion, Kind: "Report",
		Summary: jsonSummary{
			Files: report.Files, Objects: len(report.Objects), Skipped: report.Skipped,
			Errors: report.Count(lint.Error), Warnings: report.Count(lint.Warning),
		},
		Findings: append([]lint.Finding{}, report.Findings...), Error: report.Failure,
	})
}
