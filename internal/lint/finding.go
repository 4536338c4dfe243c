package lint

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Severity is the severity of a finding.
type Severity string

// The severities.
const (
	// Error: the API server rejects the object, or an auth server would not
	// start.
	Error Severity = "error"
	// Warning: something could not be validated, or works but should not stay.
	Warning Severity = "warning"
)

// Object identifies the object of a finding.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
}

// String returns the object as kubectl names it, with its namespace.
func (o Object) String() string {
	return strings.TrimPrefix(o.Kind+" "+o.Namespace+"/"+o.Name, " ")
}

// key returns the object without its version.
func (o Object) key() Object { return Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name} }

// Place is a position in the input. Lines and columns start at 1; 0 means
// unknown.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	// Source is the text of the line, for reports that show it.
	Source string `json:"-"`
}

// Finding is a mistake, or something that could not be validated.
type Finding struct {
	// Rule is the ID of a Rule.
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Place is the position of the offending value, or of the value that should
	// contain it.
	Place
	// Object is nil if the finding is about the text itself.
	Object *Object `json:"object,omitempty"`
	// Field is the path of the offending field, in the API server's notation.
	Field string `json:"field,omitempty"`
	// Cause is the type of the API server's cause, empty if the API server does
	// not report the finding.
	Cause string `json:"cause,omitempty"`
	// Message describes the mistake. If the API server rejects the object, it is
	// the API server's message.
	Message string `json:"message"`
	// Note adds what the message does not say.
	Note string `json:"note,omitempty"`
	// Fix says how to correct it.
	Fix string `json:"fix"`

	// item is the index of the object in its document.
	item int
}

// Text returns the message and the note, prefixed with the object and the field
// unless the message names them.
func (f Finding) Text() string {
	text := f.Message
	if f.Field != "" && (f.Cause != "" || !strings.Contains(f.Message, f.Field)) {
		text = f.Field + ": " + text
	}
	if f.Object != nil && !strings.Contains(f.Message, strconv.Quote(f.Object.Name)) {
		text = f.Object.String() + ": " + text
	}
	if f.Note != "" {
		text += "; " + f.Note
	}
	return text
}

// Report is the result of Lint.
type Report struct {
	Findings []Finding
	// Objects are the validated objects, in the order of the input.
	Objects []ObjectInFile
	// Files is the number of files, and Skipped the number of objects of other
	// kinds.
	Files, Skipped int
	// Failure says why the input could not be validated, or is empty.
	Failure string
}

// ObjectInFile is an object with its file.
type ObjectInFile struct {
	Object
	File string
}

// Empty reports whether the input had nothing in it, not even a mistake.
func (r Report) Empty() bool {
	return len(r.Objects)+r.Skipped == 0 && !slices.ContainsFunc(r.Findings, func(found Finding) bool { return found.Rule != ruleNothing.ID })
}

// Count returns the number of findings with a severity.
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
