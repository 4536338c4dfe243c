package inventory

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
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
	// Notes tell what could not be read.
	Notes []string `json:"notes,omitempty"`
}

// Guard is how the guard is set.
type Guard struct {
	// Policies of the guard in the cluster; none where it is not installed.
	Policies []string `json:"policies"`
	// Mode is the default of the guard's parameters, absent where it is not set.
	Mode string `json:"mode,omitempty"`
}

// Summary counts.
type Summary struct {
	// Pairs of a config and a consumer.
	Pairs        int `json:"pairs"`
	NotSupported int `json:"notSupported"`
	Unresolved   int `json:"unresolved"`
	// RunConfigs of auth servers in ConfigMaps, and those that are bad.
	RunConfigs int `json:"runConfigs"`
	StoredBad  int `json:"storedBad"`
	// Held are ConfigMaps, Exempt consumers, and Released those that ToolHive's
	// operator would roll out without the guard.
	Held     int `json:"held"`
	Exempt   int `json:"exempt"`
	Released int `json:"released"`
}

// Finding is one thing to know.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Object   Object   `json:"object"`
	Message  string   `json:"message"`
}

// Object names what a finding is about.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func (o Object) String() string { return fmt.Sprintf("%s %s/%s", o.Kind, o.Namespace, o.Name) }

// Count tells how many findings have a severity.
func (r Report) Count(severity Severity) int {
	count := 0
	for _, finding := range r.Findings {
		if finding.Severity == severity {
			count++
		}
	}
	return count
}

// WriteJSON writes a report in JSON.
func (r Report) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteText writes a report for people.
func (r Report) WriteText(out io.Writer) error {
	var text strings.Builder
	for _, finding := range r.Findings {
		fmt.Fprintf(&text, "%s: %s: %s [%s]\n", finding.Severity, finding.Object, finding.Message, finding.Rule)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&text, "%s\n", note)
	}
	s := r.Summary
	fmt.Fprintf(&text, "guard: %s\n", r.Guard)
	fmt.Fprintf(&text, "pairs: %d, of which %d not supported, %d unresolved, %d exempt\n", s.Pairs, s.NotSupported, s.Unresolved, s.Exempt)
	fmt.Fprintf(&text, "stored run configs: %d, of which %d bad, %d held\n", s.RunConfigs, s.StoredBad, s.Held)
	fmt.Fprintf(&text, "released without the guard: %d\n", s.Released)
	_, err := io.WriteString(out, text.String())
	return err
}

func (g Guard) String() string {
	text := fmt.Sprintf("%d policies", len(g.Policies))
	switch len(g.Policies) {
	case 0:
		return "no policies"
	case 1:
		text = "1 policy"
	}
	if g.Mode != "" {
		text += ", by default in mode " + g.Mode
	}
	return text
}
