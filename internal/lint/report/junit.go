package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/scopegate/scopegate/internal/lint"
)

// A suite is a file, and a case an object in it. A case fails by its errors; its
// warnings are in its output.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
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
		Output    string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// caseID tells the cases apart.
type caseID struct{ file, name string }

func writeJUnit(out io.Writer, report lint.Report, _ Options) error {
	suites := junitSuites{Name: "kubectl scopegate lint"}
	findings, order := map[caseID][]lint.Finding{}, []caseID{}
	add := func(id caseID, found ...lint.Finding) {
		if _, ok := findings[id]; !ok {
			order = append(order, id)
		}
		findings[id] = append(findings[id], found...)
	}
	for _, judged := range report.Judged {
		add(caseID{judged.File, judged.Object.String()})
	}
	for _, finding := range report.Findings {
		add(caseID{finding.File, caseName(finding)}, finding)
	}
	at := map[string]int{}
	for _, id := range order {
		if _, ok := at[id.file]; !ok {
			at[id.file] = len(suites.Suites)
			suites.Suites = append(suites.Suites, junitSuite{Name: id.file})
		}
		suite := &suites.Suites[at[id.file]]
		suite.Cases = append(suite.Cases, newCase(id, findings[id]))
	}
	for i := range suites.Suites {
		suites.Suites[i].count()
		suites.Tests += suites.Suites[i].Tests
		suites.Failures += suites.Suites[i].Failures
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
	if finding.Object == nil {
		return "syntax"
	}
	return finding.Object.String()
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
		if made.Failure == nil {
			made.Failure = &junitFailure{Message: finding.Text(), Type: finding.Rule}
		}
		failures = append(failures, line)
	}
	if made.Failure != nil {
		made.Failure.Text = strings.Join(failures, "\n")
	}
	made.Output = strings.Join(output, "\n")
	return made
}

func (s *junitSuite) count() {
	s.Tests = len(s.Cases)
	for _, made := range s.Cases {
		if made.Failure != nil {
			s.Failures++
		}
	}
}
