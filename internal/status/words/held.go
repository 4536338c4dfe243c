package words

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	heldStart = "held since "
	heldEnd   = ": what runs goes on with its last good run config; "
)

// Hold says in a condition, before its message, that what runs is held at its
// last good run config, since the condition's LastTransitionTime.
func Hold(condition *metav1.Condition) {
	since := condition.LastTransitionTime.UTC().Format(time.RFC3339)
	condition.Message = Clip(heldStart + since + heldEnd + condition.Message)
}

// IsHeld tells whether Hold has said so.
func IsHeld(condition *metav1.Condition) bool { return strings.HasPrefix(condition.Message, heldStart) }
