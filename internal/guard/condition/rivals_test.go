package condition

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
)

// player is a manager: it sees an object's entry and what it wants it to be, and
// tells whether it stands down; it sends an entry, or its removal if text is empty,
// whose answer may be lost.
type player struct {
	sees  func(version int, found, wanted string) bool
	sends func(version int, text string, answered bool)
}

// rivalries are what happens to an object, and whether the manager is to stand down.
var rivalries = map[string]struct {
	play func(p player) bool
	want bool
}{
	"a predecessor's, seen late one after the other": {play: func(p player) bool {
		p.sends(1, "new", false)
		return p.sees(2, "a", "new") || p.sees(3, "b", "new") || p.sees(4, "c", "new") || p.sees(5, "d", "new")
	}},
	"its own, whose answer was lost": {play: func(p player) bool {
		p.sends(1, "first", true)
		p.sends(2, "second", false)
		return p.sees(3, "second", "third") || p.sees(4, "second", "third") || p.sees(5, "second", "third")
	}},
	"what is wanted, by whomever": {play: func(p player) bool {
		p.sends(1, "first", true)
		return p.sees(2, "same", "same") || p.sees(3, "same", "same") || p.sees(4, "same", "same")
	}},
	"what was there before, a few times": {play: func(p player) bool {
		p.sees(1, "before", "new")
		p.sends(1, "new", true)
		return p.sees(2, "before", "new") || p.sees(3, "before", "new") || p.sees(4, "before", "new")
	}},
	"what was written over, seen again late": {play: func(p player) bool {
		for version := 1; version < 2*maxStrikes; version++ {
			p.sends(version, "new", true)
			for range 2 {
				if p.sees(version, "other", "new") {
					return true
				}
			}
		}
		return false
	}},
	"another text, three times": {want: true, play: func(p player) bool {
		p.sends(1, "new", true)
		if p.sees(2, "other", "new") || p.sees(3, "other", "new") {
			return false
		}
		return p.sees(4, "other", "new")
	}},
	"its own, where another is wanted each time": {play: func(p player) bool {
		for version := range 2 * maxReplaced {
			p.sends(2*version, fmt.Sprint(version), true)
			if p.sees(2*version+1, fmt.Sprint(version), fmt.Sprint(version+1)) {
				return true
			}
		}
		return false
	}},
	"its own, after many that were refused": {play: func(p player) bool {
		p.sends(1, "stands", true)
		for version := range 2 * maxKnown {
			p.sends(version+2, fmt.Sprint(version), false)
			if p.sees(version+2, "stands", "another") {
				return true
			}
		}
		return false
	}},
	"the text of before for another generation": {want: true, play: func(p player) bool {
		for version := 1; version < 4*maxReplaced; version += 2 {
			p.sends(version, "same", true)
			if p.sees(version+1, "generation 7: same", "same") {
				return true
			}
		}
		return false
	}},
	"an entry where none is wanted, three times": {want: true, play: func(p player) bool {
		for version := 1; version <= 2*maxStrikes; version += 2 {
			if p.sees(version, "other", "") {
				return false
			}
			p.sends(version, "", true)
		}
		return p.sees(2*maxStrikes+1, "another", "") || p.sees(2*maxStrikes+3, "another", "") || p.sees(2*maxStrikes+5, "another", "")
	}},
	"what was there before, without end": {want: true, play: func(p player) bool {
		p.sees(1, "before", "new")
		for version := 1; version < 2*maxReplaced; version += 2 {
			p.sends(version, "new", true)
			if p.sees(version+2, "before", "new") {
				return true
			}
		}
		return false
	}},
}

// TestRivals plays what a manager sees of an object's entry and writes to it.
// Nothing of what a predecessor wrote, what an answer was lost of, or what a cache
// shows late is somebody else's.
func TestRivals(t *testing.T) {
	const kind = "MCPServer"
	for name, tc := range rivalries {
		t.Run(name, func(t *testing.T) {
			told := 0
			rivals := &Rivals{Tell: func(string, client.Object, metav1.Condition) { told++ }}
			at := func(version int) *v1beta1.MCPServer {
				return &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web", ResourceVersion: fmt.Sprint(version)}}
			}
			entry := func(text string) *metav1.Condition {
				if text == "" {
					return nil
				}
				c := &metav1.Condition{Type: Type, Reason: v1alpha1.ReasonBaselineScopesSupported, Message: text}
				if said, other := strings.CutPrefix(text, "generation 7: "); other {
					c.Message, c.ObservedGeneration = said, 7
				}
				return c
			}
			got := tc.play(player{
				sees: func(version int, found, wanted string) bool {
					return rivals.Yield(t.Context(), kind, at(version), entry(found), entry(wanted))
				},
				sends: func(version int, text string, answered bool) {
					if text != "" {
						rivals.Writes(kind, at(version), entry(text))
					}
					if answered {
						rivals.Wrote(kind, at(version), entry(text))
					}
				},
			})
			if got != tc.want || rivals.StoodDown(kind) != tc.want || told != map[bool]int{true: 1}[tc.want] {
				t.Errorf("stands down: %t, %t, told %d times; want %t", got, rivals.StoodDown(kind), told, tc.want)
			}
		})
	}
}
