package condition

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// ReasonStoodDown is the reason of the event on the object that showed that
// somebody else writes the condition.
const ReasonStoodDown = "GuardStoodDown"

const (
	// maxStrikes is how often the entry of one object is overwritten with what
	// scopegate did not write until that counts as somebody else's.
	maxStrikes = 3
	// maxReplaced is the same for any text, also one that scopegate wrote before:
	// ToolHive's operator overwrites an object a few times a minute while users
	// edit it, and somebody who answers each write does so many times a second.
	maxReplaced = 100
	// window is within which time.
	window = 10 * time.Minute
	// maxKnown is how many texts of an object's entry are remembered.
	maxKnown = 8
)

var reasons = []string{
	v1alpha1.ReasonBaselineScopesSupported, v1alpha1.ReasonBaselineScopeNotSupported,
	v1alpha1.ReasonScopesNotResolved, v1alpha1.ReasonNotReferenced,
}

// Rivals finds out whether somebody else writes the condition of a kind, as a
// release of ToolHive may one day. Then scopegate stands down for that kind
// until it is started anew: two writers of one entry would never end.
//
// Somebody else's is an entry with a reason that scopegate does not have, or
// one that replaces scopegate's own again and again. ToolHive's operator writes
// back lists that are a little old, so a text that the entry had before is
// nobody's, unless it never ends. Nor is what a manager finds until it has written
// an entry itself: that may be of another life of it, late.
type Rivals struct {
	// Tell is called once for each kind, with the object that showed it.
	Tell func(kind string, object client.Object, found metav1.Condition)

	mu        sync.Mutex
	stoodDown map[string]bool
	objects   map[objectKey]*history
}

type objectKey struct {
	kind string
	client.ObjectKey
}

// history is what is known of one object's entry.
type history struct {
	// known are texts that the entry had, or may have had.
	known []uint64
	// wrote tells whether the API server has taken a write of this process, and own
	// is the entry since the last: 0 for none.
	wrote bool
	own   uint64
	// version is the last that was counted or written over: a cache that lags shows
	// it again.
	version           string
	replaced, strikes []time.Time
}

var seed = maphash.MakeSeed()

// text is what an entry says.
func text(c *metav1.Condition) uint64 {
	return maphash.Comparable(seed, [3]string{string(c.Status), c.Reason, c.Message})
}

// fingerprint is that of an entry, and of which generation it says so.
func fingerprint(c *metav1.Condition) uint64 {
	if c == nil {
		return 0
	}
	return maphash.Comparable(seed, [2]uint64{text(c), uint64(c.ObservedGeneration)})
}

// StoodDown tells whether somebody else writes the condition of a kind.
func (r *Rivals) StoodDown(kind string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stoodDown[kind]
}

// Yield tells whether to leave the entry of an object alone. found is the entry
// that the object has, and wanted the one that scopegate is to write, or nil.
func (r *Rivals) Yield(ctx context.Context, kind string, object client.Object, found, wanted *metav1.Condition) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stoodDown[kind] {
		return true
	}
	if found == nil || !r.isRival(objectKey{kind, client.ObjectKeyFromObject(object)}, object.GetResourceVersion(), found, wanted) {
		return false
	}
	if r.stoodDown == nil {
		r.stoodDown = map[string]bool{}
	}
	r.stoodDown[kind] = true
	log.FromContext(ctx).Info("somebody else writes the condition "+Type+": scopegate stands down for this kind until it is started anew",
		"kind", kind, "object", client.ObjectKeyFromObject(object), "reason", found.Reason, "message", found.Message)
	if r.Tell != nil {
		r.Tell(kind, object, *found)
	}
	return true
}

func (r *Rivals) isRival(key objectKey, version string, found, wanted *metav1.Condition) bool {
	if !slices.Contains(reasons, found.Reason) {
		return true
	}
	past := r.of(key)
	switch {
	case fingerprint(found) == fingerprint(wanted) || fingerprint(found) == past.own:
		return false
	case !past.wrote:
		past.learn(found)
		return false
	case past.version == version:
		return false
	}
	past.version = version
	if count(&past.replaced) >= maxReplaced {
		return true
	}
	return !slices.Contains(past.known, text(found)) && count(&past.strikes) >= maxStrikes
}

// count adds now, and returns how many there are within the window.
func count(times *[]time.Time) int {
	now := time.Now()
	*times = append(slices.DeleteFunc(*times, func(t time.Time) bool { return now.Sub(t) > window }), now)
	return len(*times)
}

// Writes remembers what scopegate is about to write to an object: of an answer
// that is lost nobody knows whether it was.
func (r *Rivals) Writes(kind string, object client.Object, wanted *metav1.Condition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of(objectKey{kind, client.ObjectKeyFromObject(object)}).learn(wanted)
}

// Wrote remembers what the API server took, written over an object: an entry, or
// nil for its removal.
func (r *Rivals) Wrote(kind string, object client.Object, written *metav1.Condition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	past := r.of(objectKey{kind, client.ObjectKeyFromObject(object)})
	past.wrote, past.own, past.version = true, fingerprint(written), object.GetResourceVersion()
}

func (r *Rivals) of(key objectKey) *history {
	if r.objects == nil {
		r.objects = map[objectKey]*history{}
	}
	if r.objects[key] == nil {
		r.objects[key] = &history{}
	}
	return r.objects[key]
}

func (h *history) learn(c *metav1.Condition) {
	print := text(c)
	h.known = append(slices.DeleteFunc(h.known, func(old uint64) bool { return old == print }), print)
	if len(h.known) > maxKnown {
		h.known = h.known[1:]
	}
}

// Forget drops what is known of an object that is gone.
func (r *Rivals) Forget(kind string, key client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.objects, objectKey{kind, key})
}
