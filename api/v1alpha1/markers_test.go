package v1alpha1_test

import (
	"bytes"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// The limits of what a reader of the API takes in: of a rule, and of its whole
// marker. The rule on the scopes of a VirtualMCPServer may be longer: it is on the
// whole spec, and ratchets by each of the four values that it reads.
const (
	longestRule   = 400
	longestMarker = 700

	exception       = "self.incomingAuth.type != 'oidc' || "
	exceptionRule   = 640
	exceptionMarker = 1160
)

var marker = regexp.MustCompile("\\+kubebuilder:validation:XValidation:rule=`([^`]*)`.*")

// TestRulesAreShort checks the length of every CEL rule.
func TestRulesAreShort(t *testing.T) {
	files, err := filepath.Glob("*_types.go")
	expect.NoError(t, err)
	rules := 0
	for _, file := range files {
		text := []byte(expect.ReadFile(t, file))
		for _, found := range marker.FindAllSubmatch(text, -1) {
			rules++
			longestRule, longestMarker := longestRule, longestMarker
			if bytes.HasPrefix(found[1], []byte(exception)) {
				longestRule, longestMarker = exceptionRule, exceptionMarker
			}
			if len(found[0]) > longestMarker || len(found[1]) > longestRule {
				t.Errorf("%s: a marker of %d characters with a rule of %d, want at most %d and %d:\n%s",
					file, len(found[0]), len(found[1]), longestMarker, longestRule, found[0])
			}
		}
	}
	if rules == 0 {
		t.Error("found no rule")
	}
}
