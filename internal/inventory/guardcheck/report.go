package guardcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/versions"
)

// APIVersion is the version of the report in JSON. New fields may be added; a
// breaking change gets a new version.
const APIVersion = "scopegate.dev/inventory/v2"

// Report is the result of a check.
type Report struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Namespace is the namespace that was checked, absent for the whole cluster.
	Namespace string `json:"namespace,omitempty"`
	versions.Found
	// Guard is absent if the bindings of policies could not be read.
	Guard    *inventory.Installed `json:"guard,omitempty"`
	Summary  Summary              `json:"summary"`
	Findings []Finding            `json:"findings"`
	// Notes list what could not be read, and the versions that are not tested.
	Notes []string `json:"notes,omitempty"`
}

// Summary has the numbers of a report.
type Summary struct {
	// Pairs is the number of pairs of a config and a consumer.
	Pairs        int `json:"pairs"`
	NotSupported int `json:"notSupported"`
	Unresolved   int `json:"unresolved"`
	// Modes is the number of pairs by the guard's mode in their namespaces.
	Modes map[string]int `json:"modes"`
}

// Severity is the severity of a finding, as in the linter.
type Severity string

// Error: an auth server refuses to start, or a label does not have the effect that
// somebody wanted. Warning: a verdict could not be determined, or a mode does not suit a
// GitOps tool. Note: an administrator's choice.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Finding is one result of a check.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Object   Object   `json:"object"`
	// Mode is the guard's mode in the namespace: off, warn, enforce or strict; none
	// if no policy is installed; unknown if it could not be read.
	Mode    string `json:"mode"`
	Message string `json:"message"`
}

// Object identifies the object of a finding.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String returns the object as messages name it: MCPServer team-a/web.
func (o Object) String() string {
	return o.Kind + " " + strings.TrimPrefix(o.Namespace+"/"+o.Name, "/")
}

// Text returns the report in human-readable form.
func (r Report) Text() string {
	var text strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&text, "%s: %s: %s (mode: %s) [%s]\n", f.Severity, f.Object, f.Message, f.Mode, f.Rule)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&text, note)
	}
	s := r.Summary
	switch {
	case s.Pairs > 0:
	case r.Namespace == "":
		fmt.Fprintln(&text, "no namespace has a consumer with an auth server")
	default:
		fmt.Fprintf(&text, "namespace %q has no consumer with an auth server; -A checks all namespaces\n", r.Namespace)
	}
	fmt.Fprintln(&text, r.Found)
	fmt.Fprintln(&text, r.Guard)
	fmt.Fprintf(&text, "pairs: %d, of which %d not supported, %d unresolved\n", s.Pairs, s.NotSupported, s.Unresolved)
	for _, mode := range append(slices.Clone(guard.Modes), inventory.ModeNone, inventory.ModeUnknown) {
		if count := s.Modes[mode]; count > 0 {
			fmt.Fprintf(&text, "pairs in mode %s: %d\n", mode, count)
		}
	}
	return text.String()
}
