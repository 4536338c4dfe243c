package report_test

import (
	"bytes"
	"encoding/xml"
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/scopegate/scopegate/internal/lint"
	"github.com/scopegate/scopegate/internal/lint/report"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func found(t *testing.T) lint.Report {
	t.Helper()
	sources, err := lint.Read([]string{"testdata/input"}, false, nil)
	expect.NoError(t, err)
	found, err := lint.Lint(t.Context(), sources, lint.Options{})
	expect.NoError(t, err)
	return found
}

func write(t *testing.T, format string, found lint.Report, options report.Options) string {
	t.Helper()
	writeIn, err := report.In(format)
	expect.NoError(t, err)
	var out bytes.Buffer
	expect.NoError(t, writeIn(&out, found, options))
	return out.String()
}

func TestFormats(t *testing.T) {
	found := found(t)
	for name, c := range map[string]struct {
		format  string
		options report.Options
	}{
		"text":       {report.Text, report.Options{}},
		"text-color": {report.Text, report.Options{Color: true}},
		"json":       {"json", report.Options{}},
		"sarif":      {"sarif", report.Options{Version: "v1.2.3"}},
		"junit":      {"junit", report.Options{}},
		"github":     {"github", report.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Golden(t, *update, filepath.Join("testdata", name+".golden"), write(t, c.format, found, c.options))
		})
	}
}

// TestSARIF validates against the schema of SARIF 2.1.0 in the library.
func TestSARIF(t *testing.T) {
	for name, found := range map[string]lint.Report{"findings": found(t), "none": {}, "failure": {Failure: "a: no such file"}} {
		t.Run(name, func(t *testing.T) {
			read, err := sarif.FromBytes([]byte(write(t, "sarif", found, report.Options{Version: "v1.2.3"})))
			expect.NoError(t, err)
			if err := read.Validate(); err != nil {
				t.Error(err)
			}
			rules := read.Runs[0].Tool.Driver.Rules
			for _, result := range read.Runs[0].Results {
				if *rules[result.RuleIndex].ID != *result.RuleID {
					t.Errorf("the index of %s leads to %s", *result.RuleID, *rules[result.RuleIndex].ID)
				}
			}
		})
	}
}

// TestSARIFOfAnAbsolutePath checks that it is an absolute URI.
func TestSARIFOfAnAbsolutePath(t *testing.T) {
	finding := lint.Finding{Rule: "schema/invalid", Severity: lint.Error, Place: lint.Place{File: "/srv/a b.yaml", Line: 1, Column: 1}}
	expect.Contains(t, write(t, "sarif", lint.Report{Findings: []lint.Finding{finding}}, report.Options{}), `"uri": "file:///srv/a%20b.yaml"`)
}

// TestCaretKeepsTabs checks that the caret stands below its column however wide a tab is.
func TestCaretKeepsTabs(t *testing.T) {
	finding := lint.Finding{Rule: "schema/invalid", Severity: lint.Error, Place: lint.Place{File: "a.json", Line: 1, Column: 5, Source: "\t\t\"a\": 1"}}
	expect.Contains(t, write(t, report.Text, lint.Report{Findings: []lint.Finding{finding}}, report.Options{}), "\n  \t\t\"a\": 1\n  \t\t  ^\n")
}

// TestFailure checks that the reports for programs say why there is none.
func TestFailure(t *testing.T) {
	for format, want := range map[string][]string{
		"text":   {"0 errors, 0 warnings in 0 objects of 0 files\n"},
		"json":   {`"error": "a: no such file\nb"`, `"findings": []`},
		"sarif":  {`"executionSuccessful": false`},
		"junit":  {`<error message="a: no such file`, `<testsuites name="kubectl scopegate lint" tests="1" failures="0" errors="1">`},
		"github": {"::error title=could not validate::a: no such file%0Ab\n"},
	} {
		expect.Contains(t, write(t, format, lint.Report{Failure: "a: no such file\nb"}, report.Options{}), want...)
	}
}

// TestHostileText checks that a manifest can't forge output.
func TestHostileText(t *testing.T) {
	hostile := lint.Report{Findings: []lint.Finding{{
		Rule: "schema/invalid", Severity: lint.Error, Message: "a\n::error::forged %0A \x1b[31m]]><x>",
		Place: lint.Place{File: "a,line=1:\x1b[0m.yaml", Line: 1, Column: 3, Source: "x\t\x1b[2J"},
	}}}
	if got := write(t, report.Text, hostile, report.Options{}); strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 4 {
		t.Errorf("text: %q", got)
	}
	want := "::error file=a%2Cline=1%3A\x1b[0m.yaml,line=1,col=3,title=schema/invalid::a%0A::error::forged %250A \x1b[31m]]><x>\n"
	if got := write(t, "github", hostile, report.Options{}); got != want {
		t.Errorf("github: got %q, want %q", got, want)
	}
	var any struct{ XMLName xml.Name }
	if err := xml.Unmarshal([]byte(write(t, "junit", hostile, report.Options{})), &any); err != nil {
		t.Errorf("junit: %v", err)
	}
}

func TestUnknownFormat(t *testing.T) {
	_, err := report.In("xml")
	expect.Error(t, err, "github, json, junit, sarif, text")
}
