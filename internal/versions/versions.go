// Package versions has the versions of Kubernetes and ToolHive with which
// scopegate is tested. docs/compatibility.md describes the tests.
package versions

import (
	"fmt"
	"runtime/debug"

	utilversion "k8s.io/apimachinery/pkg/util/version"
)

// Range is a range of minor versions, including both ends.
type Range struct{ Of, First, Last string }

// The tested ranges.
var (
	Kubernetes = Range{"Kubernetes", "1.30", "1.37"}
	ToolHive   = Range{"ToolHive", "v0.44.0", "v0.63.0"}
)

// Unknown is the version if it can't be determined.
const Unknown = "unknown"

// Found are the versions of a cluster.
type Found struct {
	Kubernetes string `json:"kubernetes"`
	// ToolHive is the version of ToolHive's operator. Its CRDs have no version.
	ToolHive string `json:"toolhive"`
}

// String returns a line for people.
func (f Found) String() string {
	return fmt.Sprintf("Kubernetes: %s, ToolHive: %s", f.Kubernetes, f.ToolHive)
}

// Warnings returns a warning for each version outside of the tested range.
func (f Found) Warnings() []string {
	return append(Kubernetes.warn(f.Kubernetes), ToolHive.warn(f.ToolHive)...)
}

// warn returns no warning if found is not a version number.
func (r Range) warn(found string) []string {
	parsed, err := utilversion.ParseGeneric(found)
	if err != nil {
		return nil
	}
	minor := parsed.WithPatch(0)
	if minor.AtLeast(utilversion.MustParseGeneric(r.First)) && !minor.GreaterThan(utilversion.MustParseGeneric(r.Last)) {
		return nil
	}
	return []string{fmt.Sprintf("scopegate is not tested with %s %s, but with %s to %s: see docs/compatibility.md before you rely on it", r.Of, found, r.First, r.Last)}
}

// version is set by the linker in images and releases. The policies of the same build
// have it in a label.
var version string

// Own returns the version of scopegate, or the revision that it was built from.
func Own() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return Unknown
	}
	return info.Main.Version
}
