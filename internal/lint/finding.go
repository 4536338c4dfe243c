package lint

import (
	"cmp"
	"strconv"
	"strings"
)

// Severity of a finding.
type Severity string

// The severities.
const (
	// Error is what the API server rejects, or what an auth server would not start
	// with.
	Error Severity = "error"
	// Warning is what could not be validated, or what works but should not stay.
	Warning Severity = "warning"
)

// Object names what a finding is about.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
}

// String is the object as kubectl names it, with its namespace.
func (o Object) String() string { return o.Kind + " " + o.Namespace + "/" + o.Name }

// key is the object whatever its version.
func (o Object) key() Object { return Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name} }

// Place is a position in the input. Lines and columns start at 1; 0 is unknown.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	// Source is the text of the line, for output that shows it.
	Source string `json:"-"`
}

// Finding is one thing that is wrong, or that could not be validated.
type Finding struct {
	// Rule is the id of a Rule.
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Place is where the offending value is, or what should contain it.
	Place
	// Object is nil where a text is at fault as such.
	Object *Object `json:"object,omitempty"`
	// Field is the path of the offending field, as the API server names it.
	Field string `json:"field,omitempty"`
	// Cause is the type of the API server's cause, empty for what the API server
	// does not say.
	Cause string `json:"cause,omitempty"`
	// Message says what is wrong; for what the API server rejects it is its own.
	Message string `json:"message"`
	// Fix says what to do.
	Fix string `json:"fix"`

	// item is the index of the object among those of its document.
	item int
}

// Text is the message after the object and the field that it is about, unless it
// names them itself.
func (f Finding) Text() string {
	text := f.Message
	if f.Field != "" && (f.Cause != "" || !strings.Contains(f.Message, f.Field)) {
		text = f.Field + ": " + text
	}
	if f.Object != nil && !strings.Contains(f.Message, strconv.Quote(f.Object.Name)) {
		text = f.Object.String() + ": " + text
	}
	return text
}

// Report is all that was found.
type Report struct {
	Findings []Finding
	// Objects are those that were validated, in the order of the input.
	Objects []ObjectInFile
	// Files and Skipped count what was read, and the objects of other kinds.
	Files, Skipped int
}

// ObjectInFile is an object and the file that it is in.
type ObjectInFile struct {
	Object
	File string
}

// Count returns how many findings have a severity.
func (r Report) Count(severity Severity) int {
	count := 0
	for _, finding := range r.Findings {
		if finding.Severity == severity {
			count++
		}
	}
	return count
}

// compareFindings orders the findings of a document.
func compareFindings(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Rule, b.Rule),
		cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
}
