package condition

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// maxRepeats is how often scopegate repeats a condition of an object, plus once
// every 20 s. ToolHive's operator writes back an old list only a few times while
// users edit. A writer that answers each write never stops.
const maxRepeats = 30

var ownReasons = []string{
	v1alpha1.ReasonBaselineScopesSupported, v1alpha1.ReasonBaselineScopeNotSupported,
	v1alpha1.ReasonScopesNotResolved, v1alpha1.ReasonNotReferenced,
}

// standDown detects objects of one kind whose condition another writer sets, as a
// future ToolHive release may do: the two writers would never stop. Such an
// object is left alone until its generation changes.
type standDown struct {
	// report is called once for a generation of an object, with its current
	// condition.
	report func(object client.Object, found *metav1.Condition)

	mu   sync.Mutex
	past map[client.ObjectKey]*writes
}

// writes has the state of the writes for one generation of an object.
type writes struct {
	generation int64
	// last is the status, reason and message of the last write; empty for a removal.
	last [3]string
	// over is the resourceVersion that the last write replaced.
	over    string
	repeats *rate.Limiter
	down    bool
}

// yields reports whether to leave the condition of an object alone. found is the
// current condition, nil for none.
func (s *standDown) yields(object client.Object, found *metav1.Condition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := s.past[client.ObjectKeyFromObject(object)]
	if past == nil || past.generation != object.GetGeneration() {
		return false
	}
	// A lagging cache still has the version that was replaced.
	lags := past.over == object.GetResourceVersion()
	foreign := found != nil && !slices.Contains(ownReasons, found.Reason)
	if !past.down && !lags && (foreign || past.repeats.Tokens() < 1) {
		past.down = true
		s.report(object, found)
	}
	return past.down
}

// wrote records a write that the API server accepted, nil for a removal.
func (s *standDown) wrote(object client.Object, written *metav1.Condition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if written == nil {
		written = &metav1.Condition{}
	}
	said := [3]string{string(written.Status), written.Reason, written.Message}
	past := s.past[client.ObjectKeyFromObject(object)]
	if past == nil || past.generation != object.GetGeneration() || past.last != said {
		past = &writes{generation: object.GetGeneration(), last: said, repeats: rate.NewLimiter(rate.Every(20*time.Second), maxRepeats)}
		s.past[client.ObjectKeyFromObject(object)] = past
	}
	past.over = object.GetResourceVersion()
	past.repeats.Allow()
}

// count returns the number of objects that are left alone.
func (s *standDown) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, past := range s.past {
		if past.down {
			count++
		}
	}
	return count
}

func (s *standDown) forget(key client.ObjectKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.past, key)
}
