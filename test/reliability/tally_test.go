package reliability_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// atATime is how many schedules are played at a time.
const atATime = 12

// tally sums up what schedules came to.
type tally struct {
	mu                               sync.Mutex
	schedules, writes, lives, failed int
	// calm is how many writes those with faults send without them. worst is the
	// largest ratio of the writes of one to those that it sends without them.
	calm  int
	worst float64
}

// play plays schedules, and stops after the first that goes wrong. It prints its
// progress, for a run that is cut off.
func (t *tally) play(test *testing.T, target string, workers int, schedules []schedule) {
	test.Helper()
	group, ctx := errgroup.WithContext(test.Context())
	group.SetLimit(workers)
	for i, s := range schedules {
		if ctx.Err() != nil {
			break
		}
		if i > 0 && i%100 == 0 {
			fmt.Fprintf(os.Stderr, "%s: %d of %d have begun\n", target, i, len(schedules))
		}
		group.Go(func() error { return t.add(ctx, s) })
	}
	if err := group.Wait(); err != nil {
		test.Error(err)
	}
}

func (t *tally) add(ctx context.Context, s schedule) error {
	o, err := play(ctx, s)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.schedules++
	t.writes += len(o.writes)
	t.lives += o.lives
	t.failed += o.failed
	if s.calm != nil {
		t.calm += len(s.calm.writes)
		t.worst = max(t.worst, o.ratio(s.calm))
	}
	return err
}

func (t *tally) String() string {
	return fmt.Sprintf("%d schedules, %d writes, %d restarts, %d failed requests", t.schedules, t.writes, t.lives-t.schedules, t.failed)
}

// compare reports schedules with faults that must end as without them.
func (t *tally) compare(test *testing.T, target string, begin time.Time) {
	test.Helper()
	report(test, target, begin, t, "all end as undisturbed; %.3f of the writes without faults, at most %.2f", float64(t.writes)/float64(t.calm), t.worst)
}

// report prints a row of the table of docs/dev/claims.md.
func report(t *testing.T, target string, begin time.Time, played any, came string, values ...any) {
	t.Helper()
	if t.Failed() {
		target = "FAILED: " + target
	}
	fmt.Fprintf(os.Stderr, "| %s | %v | %s | %s |\n", target, played, fmt.Sprintf(came, values...), time.Since(begin).Round(time.Second))
}
