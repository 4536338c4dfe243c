package condition

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
)

// manager simulates a manager. Its function sees reads an object with a condition and
// reports whether the manager yields. Its function writes sets the condition of the
// object. An empty message means no condition.
type manager struct {
	sees   func(version int, message string) bool
	writes func(version int, message string)
}

func TestStandDown(t *testing.T) {
	const foreign = "foreign"
	for name, tc := range map[string]struct {
		play func(m manager) bool
		want bool
	}{
		"a foreign reason that was there first": {play: func(m manager) bool { return m.sees(1, foreign) }},
		"a foreign reason over its own":         {want: true, play: func(m manager) bool { m.writes(1, "own"); return m.sees(3, foreign) }},
		"a foreign reason, seen late":           {play: func(m manager) bool { m.writes(1, "own"); return m.sees(1, foreign) }},
		"an old condition, a few times": {play: func(m manager) bool {
			for version := 1; version < maxRepeats; version += 2 {
				m.writes(version, "own")
				if m.sees(version+1, "old") {
					return true
				}
			}
			return false
		}},
		"an old condition, without end": {want: true, play: func(m manager) bool { return always(m, "old") }},
		"no condition, without end":     {want: true, play: func(m manager) bool { return always(m, "") }},
		"removed without end": {want: true, play: func(m manager) bool {
			for version := 1; version < 4*maxRepeats; version += 2 {
				m.writes(version, "")
				if m.sees(version+1, "other") {
					return true
				}
			}
			return false
		}},
		"another condition each time": {play: func(m manager) bool {
			for version := 1; version < 4*maxRepeats; version += 2 {
				m.writes(version, fmt.Sprint(version))
				if m.sees(version+1, "old") {
					return true
				}
			}
			return false
		}},
	} {
		t.Run(name, func(t *testing.T) {
			reports := 0
			writer := NewWriter(nil, func(client.Object, *metav1.Condition) { reports++ })
			object := func(version int) *v1beta1.MCPServer {
				return &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web", Generation: 1, ResourceVersion: fmt.Sprint(version)}}
			}
			condition := func(message string) *metav1.Condition {
				c := &metav1.Condition{Type: Type, Reason: v1alpha1.ReasonBaselineScopesSupported, Message: message}
				switch message {
				case "":
					return nil
				case foreign:
					c.Reason = "AllGood"
				}
				return c
			}
			got := tc.play(manager{
				sees: func(version int, message string) bool {
					return writer.standDown.yields(object(version), condition(message))
				},
				writes: func(version int, message string) { writer.standDown.wrote(object(version), condition(message)) },
			})
			want := map[bool]int{true: 1}[tc.want]
			if got != tc.want || reports != want || writer.StoodDown() != want {
				t.Errorf("yields: %t, reported %d times, %d objects; want %t", got, reports, writer.StoodDown(), tc.want)
			}
			edited := object(1000)
			edited.Generation = 2
			if writer.standDown.yields(edited, condition(foreign)) {
				t.Error("it yields in the next generation before its first write")
			}
			writer.standDown.wrote(edited, condition("own"))
			if n := writer.StoodDown(); n != 0 {
				t.Errorf("%d objects are left alone after a new write", n)
			}
			writer.Forget(client.ObjectKeyFromObject(edited))
			if len(writer.standDown.past) != 0 {
				t.Errorf("an object that is gone is remembered: %v", writer.standDown.past)
			}
		})
	}
}

func always(m manager, answer string) bool {
	for version := 1; version < 4*maxRepeats; version += 2 {
		m.writes(version, "own")
		if m.sees(version+1, answer) {
			return true
		}
	}
	return false
}
