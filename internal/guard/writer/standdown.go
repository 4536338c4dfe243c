package writer

import (
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// A condition of an object is repeated at most maxRepeats times, plus once every
// repeatInterval. ToolHive's operator writes back an old list only a few times while
// users edit; another writer that uses the same reasons never stops.
const (
	maxRepeats     = 30
	repeatInterval = 20 * time.Second
)

// Foreign reports whether a condition has a reason that scopegate does not use.
// Another writer decides on it then, as a future ToolHive release may do.
func Foreign(condition *metav1.Condition) bool {
	return condition != nil && !slices.Contains([]string{
		v1alpha1.ReasonBaselineScopesSupported, v1alpha1.ReasonBaselineScopeNotSupported,
		v1alpha1.ReasonScopesNotResolved, v1alpha1.ReasonNotReferenced,
	}, condition.Reason)
}

// ErrTooOften means that a condition was repeated too often, because another writer
// replaces it each time.
var ErrTooOften = errors.New("another writer replaces the condition " + Type + " each time")

// repeats limits how often the same condition is written, by object.
type repeats struct {
	mu   sync.Mutex
	last map[client.ObjectKey]*repeat
}

type repeat struct {
	condition metav1.Condition
	limiter   *rate.Limiter
}

// allow reports whether a condition may be written now, nil for a removal, and counts
// it.
func (r *repeats) allow(key client.ObjectKey, wanted *metav1.Condition) bool {
	condition := metav1.Condition{}
	if wanted != nil {
		condition = metav1.Condition{Status: wanted.Status, Reason: wanted.Reason, Message: wanted.Message, ObservedGeneration: wanted.ObservedGeneration}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := r.last[key]; last == nil || last.condition != condition {
		r.last[key] = &repeat{condition, rate.NewLimiter(rate.Every(repeatInterval), maxRepeats)}
	}
	return r.last[key].limiter.Allow()
}

func (r *repeats) forget(key client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, key)
}
