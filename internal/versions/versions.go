// Package versions holds with which versions of Kubernetes and ToolHive scopegate is
// tested. docs/compatibility.md says what each test is.
package versions

import (
	"fmt"
	"runtime/debug"

	"k8s.io/apimachinery/pkg/util/version"
)

// Range is of minor versions, both ends included.
type Range struct{ Of, First, Last string }

// The tested ranges.
var (
	Kubernetes = Range{"Kubernetes", "1.33", "1.37"}
	ToolHive   = Range{"ToolHive", "v0.44.0", "v0.63.0"}
)

// Unknown is a version that can't be found out.
const Unknown = "unknown"

// Found are the versions of what a cluster runs.
type Found struct {
	Kubernetes string `json:"kubernetes"`
	// ToolHive is that of its operator. Its CRDs do not say theirs.
	ToolHive string `json:"toolhive"`
}

// String is the line for people.
func (f Found) String() string {
	return fmt.Sprintf("Kubernetes: %s, ToolHive: %s", f.Kubernetes, f.ToolHive)
}

// Warnings say which of them are outside of the tested ranges.
func (f Found) Warnings() []string {
	return append(Kubernetes.warn(f.Kubernetes), ToolHive.warn(f.ToolHive)...)
}

// warn says nothing of a version that is no number.
func (r Range) warn(found string) []string {
	parsed, err := version.ParseGeneric(found)
	if err != nil {
		return nil
	}
	minor := parsed.WithPatch(0)
	if minor.AtLeast(version.MustParseGeneric(r.First)) && !minor.GreaterThan(version.MustParseGeneric(r.Last)) {
		return nil
	}
	return []string{fmt.Sprintf("scopegate is not tested with %s %s, but with %s to %s: see docs/compatibility.md before you rely on it", r.Of, found, r.First, r.Last)}
}

// Own is the version of scopegate, or the revision that it was built from.
func Own() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return Unknown
	}
	return info.Main.Version
}
