package scopes

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

const (
	// maxEdits is how many letters a near miss may be off.
	maxEdits = 2
	// maxCompared is the length, in bytes, above which scopes are not compared:
	// the cost grows with the square of the length.
	maxCompared = 64
)

var separators = strings.NewReplacer("-", "_", ".", "_", ":", "_", "/", "_", " ", "_")

// Suggest returns the effective scope that a user most likely meant by scope,
// and whether there is one: first of those that differ in case or separators
// alone, then of those that are one or two letters off, the nearest, then the
// first in the order of effective.
func Suggest(scope string, effective []string) (string, bool) {
	if len(scope) > maxCompared {
		return "", false
	}
	folded := fold(scope)
	for _, candidate := range effective {
		if len(candidate) == len(scope) && fold(candidate) == folded {
			return candidate, true
		}
	}
	best, bestEdits := "", maxEdits+1
	for _, candidate := range effective {
		if abs(len(candidate)-len(scope)) > maxEdits {
			continue
		}
		// A near miss keeps most of its letters: "a" is not a near miss of "b".
		if edits := levenshtein.ComputeDistance(scope, candidate); edits < bestEdits && 3*edits <= len(scope) {
			best, bestEdits = candidate, edits
		}
	}
	return best, best != ""
}

func fold(scope string) string { return separators.Replace(strings.ToLower(scope)) }

func abs(n int) int {
	return max(n, -n)
}
