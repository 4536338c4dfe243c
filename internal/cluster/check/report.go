package check

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/internal/guard"
)

// APIVersion is that of the report in JSON: fields may be added to it, and a
// change that could break a reader changes it.
const APIVersion = "scopegate.dev/inventory/v1"

// Report is what was found.
type Report struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Guard      Guard     `json:"guard"`
	Summary    Summary   `json:"summary"`
	Findings   []Finding `json:"findings"`
	// Notes say what could not be read.
	Notes []string `json:"notes,omitempty"`
}

// Guard is what is installed of the guard.
type Guard struct {
	// Policies that reject; none where it is not installed.
	Policies []string `json:"policies"`
	// Mode of namespaces without the label, absent without policies.
	Mode string `json:"mode,omitempty"`
	// Hold is installed, absent, or not-available where the API server has no
	// MutatingAdmissionPolicy.
	Hold string `json:"hold,omitempty"`
	// StartUp reports whether the policy on other refusals at start is installed.
	StartUp bool `json:"startUp,omitempty"`
}

// Summary counts.
type Summary struct {
	// Pairs of a config and a consumer, and Off those in namespaces where the guard is.
	Pairs        int `json:"pairs"`
	NotSupported int `json:"notSupported"`
	Unresolved   int `json:"unresolved"`
	Off          int `json:"off"`
	// RunConfigs of auth servers in ConfigMaps, those that are bad, and those held.
	RunConfigs int `json:"runConfigs"`
	StoredBad  int `json:"storedBad"`
	Held       int `json:"held"`
	// Deny counts what findings have there.
	Deny map[string]int `json:"deny"`
	// Released are consumers that ToolHive's operator would roll out without the guard.
	Released int `json:"released"`
}

// What the guard does with a pair that is not supported where it denies.
const (
	// editRejected is of an edit of the pair's lists or its reference.
	editRejected = "edit-rejected"
	// runConfigHeld and runConfigRejected are of the run config that ToolHive's operator
	// writes next.
	runConfigHeld     = "run-config-held"
	runConfigRejected = "run-config-rejected"
)

// Severity of a finding, as of one of the linter.
type Severity string

// The severities: Error is what makes an auth server refuse to start, now or once it
// restarts, Warning what could not be told or should not stay, and Note what an
// administrator chose.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Finding is one thing to know.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Object   Object   `json:"object"`
	Message  string   `json:"message"`
	// Deny is what the guard does with the pair where it denies.
	Deny []string `json:"deny,omitempty"`
}

// Object names what a finding is about.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Text is the report for people.
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
	startUp := map[bool]string{true: ", start-up: installed"}[r.Guard.StartUp]
	fmt.Fprintf(&text, "guard: %d of %d policies, default mode: %s, hold: %s%s\n", len(r.Guard.Policies), len(guard.ValidatingPolicies),
		cmp.Or(r.Guard.Mode, "none"), cmp.Or(r.Guard.Hold, "unknown"), startUp)
	fmt.Fprintf(&text, "pairs: %d, of which %d not supported, %d unresolved, %d where the guard is off\n", s.Pairs, s.NotSupported, s.Unresolved, s.Off)
	fmt.Fprintf(&text, "stored run configs: %d, of which %d bad, %d held\n", s.RunConfigs, s.StoredBad, s.Held)
	if len(r.Guard.Policies) > 0 {
		fmt.Fprintf(&text, "with deny: edits rejected: %d; run configs held: %d, rejected: %d\n", s.Deny[editRejected], s.Deny[runConfigHeld], s.Deny[runConfigRejected])
	}
	fmt.Fprintf(&text, "released without the guard: %d\n", s.Released)
	return text.String()
}
