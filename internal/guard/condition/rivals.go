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
	// strikeWindow is within which time.
	strikeWindow = 10 * time.Minute
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
// nobody's.
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
	known   []uint64
	strikes []time.Time
	// version is that of the last strike: a cache that lags shows it again.
	version string
}

var seed = maphash.MakeSeed()

func fingerprint(c *metav1.Condition) uint64 {
	return maphash.Comparable(seed, [3]string{string(c.Status), c.Reason, c.Message})
}

// StoodDown tells whether somebody else writes the condition of a kind.
func (r *Rivals) StoodDown(kind string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stoodDown[kind]
}

// Yield tells whether to leave the entry of an object alone. found is the entry
// that the object has, or nil.
func (r *Rivals) Yield(ctx context.Context, kind string, object client.Object, found *metav1.Condition) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stoodDown[kind] {
		return true
	}
	if found == nil || !r.isRival(objectKey{kind, client.ObjectKeyFromObject(object)}, object.GetResourceVersion(), found) {
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

func (r *Rivals) isRival(key objectKey, version string, found *metav1.Condition) bool {
	if !slices.Contains(reasons, found.Reason) {
		return true
	}
	past := r.objects[key]
	if past == nil {
		r.learn(key, found)
		return false
	}
	if slices.Contains(past.known, fingerprint(found)) || past.version == version {
		return false
	}
	now := time.Now()
	past.version = version
	past.strikes = append(slices.DeleteFunc(past.strikes, func(t time.Time) bool { return now.Sub(t) > strikeWindow }), now)
	return len(past.strikes) >= maxStrikes
}

// Wrote remembers what scopegate wrote to an object.
func (r *Rivals) Wrote(kind string, object client.Object, written *metav1.Condition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.learn(objectKey{kind, client.ObjectKeyFromObject(object)}, written)
}

func (r *Rivals) learn(key objectKey, c *metav1.Condition) {
	if r.objects == nil {
		r.objects = map[objectKey]*history{}
	}
	past := r.objects[key]
	if past == nil {
		past = &history{}
		r.objects[key] = past
	}
	print := fingerprint(c)
	past.known = append(slices.DeleteFunc(past.known, func(old uint64) bool { return old == print }), print)
	if len(past.known) > maxKnown {
		past.known = past.known[1:]
	}
}

// Forget drops what is known of an object that is gone.
func (r *Rivals) Forget(kind string, key client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.objects, objectKey{kind, key})
}
