package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/scopegate/scopegate/internal/lint"
)

// A suite is a file, and a case is an object in it. Errors fail the case;
// warnings are in its output.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr,omitempty"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		ClassName string        `xml:"classname,attr"`
		Failure   *junitFailure `xml:"failure"`
		Error     *junitFailure `xml:"error"`
		Output    string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// caseID identifies a case by its file and name.
type caseID struct{ file, name string }

func writeJUnit(out io.Writer, report lint.Report, _ Options) error {
	findings, order := map[caseID][]lint.Finding{}, []caseID{}
	add := func(id caseID, found ...lint.Finding) {
		if _, ok := findings[id]; !ok {
			order = append(order, id)
		}
		findings[id] = append(findings[id], found...)
	}
	for _, object := range report.Objects {
		add(caseID{object.File, object.Object.String()})
	}
	for _, finding := range report.Findings {
		add(caseID{finding.File, caseName(finding)}, finding)
	}
	suites, at := junitSuites{Name: "kubectl scopegate lint"}, map[string]int{}
	for _, id := range order {
		if _, ok := at[id.file]; !ok {
			at[id.file] = len(suites.Suites)
			suites.Suites = append(suites.Suites, junitSuite{Name: id.file})
		}
		suite, made := &suites.Suites[at[id.file]], newCase(id, findings[id])
		suite.Cases = append(suite.Cases, made)
		suite.Tests++
		suites.Tests++
		if made.Failure != nil {
			suite.Failures++
			suites.Failures++
		}
	}
	if report.Failure != "" {
		suites.Tests++
		suites.Errors++
		suites.Suites = append(suites.Suites, junitSuite{Name: failed, Tests: 1, Errors: 1, Cases: []junitCase{
			{Name: failed, ClassName: failed, Error: &junitFailure{Message: report.Failure, Type: failed, Text: report.Failure}},
		}})
	}
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(out)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suites); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n")
	return err
}

func caseName(finding lint.Finding) string {
	switch {
	case finding.Object != nil:
		return finding.Object.String()
	case strings.HasPrefix(finding.Rule, "parse/"):
		return "syntax"
	default:
		return "input"
	}
}

func newCase(id caseID, findings []lint.Finding) junitCase {
	made := junitCase{Name: id.name, ClassName: id.file}
	var failures, output []string
	for _, finding := range findings {
		line := fmt.Sprintf("%s:%d:%d: %s: %s [%s]", finding.File, finding.Line, finding.Column, finding.Severity, finding.Text(), finding.Rule)
		if finding.Severity != lint.Error {
			output = append(output, line)
			continue
		}
		if failures = append(failures, line); made.Failure == nil {
			made.Failure = &junitFailure{Message: finding.Text(), Type: finding.Rule}
		}
		made.Failure.Text = strings.Join(failures, "\n")
	}
	made.Output = strings.Join(output, "\n")
	return made
}
