package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/scopegate/scopegate/internal/resolve"
)

const (
	namePrefix     = "auth-"
	maxReadable    = 40
	hashCharacters = 10
)

var notInLabel = regexp.MustCompile(`[^a-z0-9]+`)

// ChildName returns the name of the Deployment and the Service of a consumer. It
// is a DNS label (RFC 1035, as Services need) that starts with a readable part.
// It ends with a hash of kind and name, so that equal names of different kinds do
// not collide, nor names that differ only in characters that a label can't have.
func ChildName(consumer resolve.Consumer) string {
	readable := strings.Trim(notInLabel.ReplaceAllString(strings.ToLower(consumer.Name), "-"), "-")
	if len(readable) > maxReadable {
		readable = strings.TrimRight(readable[:maxReadable], "-")
	}
	sum := sha256.Sum256([]byte(consumer.Kind + "/" + consumer.Name))
	return namePrefix + readable + "-" + hex.EncodeToString(sum[:])[:hashCharacters]
}
