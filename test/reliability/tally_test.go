package reliability_test

import (
	"fmt"
	"sync"
)

// tally sums up outcomes.
type tally struct {
	mu                               sync.Mutex
	schedules, writes, lives, failed int
}

func (t *tally) add(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.schedules++
	t.writes += len(o.writes)
	t.lives += o.lives
	t.failed += o.failed
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d schedules, %d writes, %d restarts, %d failed requests", t.schedules, t.writes, t.lives-t.schedules, t.failed)
}
