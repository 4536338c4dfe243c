package scopes

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

const (
	// maxEdits is the maximum edit distance of a near miss.
	maxEdits = 2
	// maxCompared is the maximum length, in bytes, of scopes that are compared,
	// because the cost grows with the square of the length.
	maxCompared = 64
)

var separators = strings.NewReplacer("-", "_", ".", "_", ":", "_", "/", "_", " ", "_")

// Suggest returns the effective scope that a user most likely meant by scope, and
// reports whether there is one. It prefers a scope that differs only in case or
// separators, then the one with the smallest edit distance of at most two. Ties
// go to the first in effective.
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
		// A near miss keeps most of its letters: "a" is not a near miss of "b".
		if edits := levenshtein.ComputeDistance(scope, candidate); edits < bestEdits && 3*edits <= len(scope) {
			best, bestEdits = candidate, edits
		}
	}
	return best, best != ""
}

func fold(scope string) string { return separators.Replace(strings.ToLower(scope)) }
