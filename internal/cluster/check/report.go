package check

import (
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/internal/cluster"
	"github.com/scopegate/scopegate/internal/versions"
)

// APIVersion is the version of the report in JSON. New fields may be added; a
// breaking change gets a new version.
const APIVersion = "scopegate.dev/inventory/v1"

// Report is the result of a check.
type Report struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	versions.Found
	Guard    cluster.Installed `json:"guard"`
	Summary  Summary           `json:"summary"`
	Findings []Finding         `json:"findings"`
	// Notes list what could not be read, and the versions that are not tested.
	Notes []string `json:"notes,omitempty"`
}

// Summary has the numbers of a report.
type Summary struct {
	// Pairs is the number of pairs of a config and a consumer. Off counts those
	// in namespaces where the guard is off.
	Pairs        int `json:"pairs"`
	NotSupported int `json:"notSupported"`
	Unresolved   int `json:"unresolved"`
	Off          int `json:"off"`
	// RunConfigs is the number of auth servers in run configs of ConfigMaps.
	// StoredBad counts those that are refused, and Held the ConfigMaps that are
	// held.
	RunConfigs int `json:"runConfigs"`
	StoredBad  int `json:"storedBad"`
	Held       int `json:"held"`
	// Deny counts the values of Deny in the findings.
	Deny map[string]int `json:"deny"`
	// Released is the number of consumers that ToolHive's operator would roll out
	// without the guard.
	Released int `json:"released"`
}

// The values of Finding.Deny.
const (
	// editRejected means that the guard rejects an edit of the pair's lists or of
	// its reference.
	editRejected = "edit-rejected"
	// runConfigHeld and runConfigRejected refer to the next run config that
	// ToolHive's operator writes.
	runConfigHeld     = "run-config-held"
	runConfigRejected = "run-config-rejected"
)

// Severity is the severity of a finding, as in the linter.
type Severity string

// Error: the auth server refuses to start, now or after a restart. Warning:
// something could not be determined, or should not stay. Note: an administrator's
// choice.
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
	Message  string   `json:"message"`
	// Deny lists what the guard does with the pair in mode deny.
	Deny []string `json:"deny,omitempty"`
}

// Object identifies the object of a finding.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Text returns the report in human-readable form.
func (r Report) Text() string {
	var text strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&text, "%s: %s %s/%s: %s", f.Severity, f.Object.Kind, f.Object.Namespace, f.Object.Name, f.Message)
		if len(f.Deny) > 0 {
			fmt.Fprintf(&text, " (with deny: %s)", strings.Join(f.Deny, ", "))
		}
		fmt.Fprintf(&text, " [%s]\n", f.Rule)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&text, note)
	}
	s := r.Summary
	fmt.Fprintln(&text, r.Found)
	fmt.Fprintln(&text, r.Guard)
	fmt.Fprintf(&text, "pairs: %d, of which %d not supported, %d unresolved, %d where the guard is off\n", s.Pairs, s.NotSupported, s.Unresolved, s.Off)
	fmt.Fprintf(&text, "stored run configs: %d, of which %d bad, %d held\n", s.RunConfigs, s.StoredBad, s.Held)
	if len(r.Guard.Policies) > 0 {
		fmt.Fprintf(&text, "with deny: edits rejected: %d; run configs held: %d, rejected: %d\n", s.Deny[editRejected], s.Deny[runConfigHeld], s.Deny[runConfigRejected])
	}
	fmt.Fprintf(&text, "released without the guard: %d\n", s.Released)
	return text.String()
}
