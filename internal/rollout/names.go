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

// ChildName is the name of the Deployment and the Service of a consumer: a DNS
// label (RFC 1035, as Services need) that starts readably and ends with a hash
// of kind and name, so that equal names of different kinds, and names that
// differ only in what a label can't hold, do not collide.
func ChildName(consumer resolve.Consumer) string {
	readable := strings.Trim(notInLabel.ReplaceAllString(strings.ToLower(consumer.Name), "-"), "-")
	if len(readable) > maxReadable {
		readable = strings.TrimRight(readable[:maxReadable], "-")
	}
	sum := sha256.Sum256([]byte(consumer.Kind + "/" + consumer.Name))
	return namePrefix + readable + "-" + hex.EncodeToString(sum[:])[:hashCharacters]
}
