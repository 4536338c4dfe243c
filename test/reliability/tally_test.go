package reliability_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// progressEvery is the interval at which a run of many schedules reports its
// progress.
const progressEvery = time.Minute

// tally sums up outcomes.
type tally struct {
	mu                               sync.Mutex
	schedules, writes, lives, failed int
	// next is the schedule to begin next. begun are those that are being
	// played.
	next  int
	begun map[int]bool
	// failures are the schedules that went wrong.
	failures int
	// skipped are the schedules that an earlier run has played.
	skipped int
}

// rest returns the schedules without those that are still to be skipped.
func (t *tally) rest(schedules []schedule) []schedule {
	n := min(len(schedules), *played-t.skipped)
	t.skipped += n
	return schedules[n:]
}

// each plays n schedules, as many at a time as there are workers, and returns their
// sum. It stops after a few failures. It prints its progress, for a run that is cut
// off.
func each(t *testing.T, target string, workers, n int, play func(i int) (outcome, error)) *tally {
	t.Helper()
	total := &tally{begun: map[int]bool{}}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-time.After(progressEvery):
				fmt.Fprintf(os.Stderr, "%s: the first %d of %d are done; in all %v\n", target, total.complete(), n, total)
			case <-done:
				return
			}
		}
	}()
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for {
				i, ok := total.begin(n)
				if !ok {
					return
				}
				o, err := play(i)
				if err != nil {
					t.Error(err)
				}
				total.end(i, o, err)
			}
		})
	}
	working.Wait()
	return total
}

// begin returns the next of n schedules, and whether there is one to play.
func (t *tally) begin(n int) (int, bool) {
	const failuresToStop = 3
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.next
	if i >= n || t.failures >= failuresToStop {
		return 0, false
	}
	t.next++
	t.begun[i] = true
	return i, true
}

func (t *tally) end(i int, o outcome, err error) {
	t.mu.Lock()
	delete(t.begun, i)
	if err != nil {
		t.failures++
	}
	t.mu.Unlock()
	t.add(o)
}

// complete returns how many schedules are done, up to the first that is not.
func (t *tally) complete() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.next
	for i := range t.begun {
		first = min(first, i)
	}
	return first
}

func (t *tally) add(o outcome) {
	t.join(&tally{schedules: 1, writes: len(o.writes), lives: o.lives, failed: o.failed})
}

// join adds what another tally, which is complete, has summed up.
func (t *tally) join(other *tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.schedules += other.schedules
	t.writes += other.writes
	t.lives += other.lives
	t.failed += other.failed
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d schedules, %d writes, %d restarts, %d failed requests", t.schedules, t.writes, t.lives-t.schedules, t.failed)
}
