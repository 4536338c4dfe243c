package reliability_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// mostWrites limits the ratio of a schedule's writes to those that it sends without
// the faults.
const mostWrites = 1.5

// comparison sums up schedules with faults that must end as without them.
type comparison struct {
	tally
	// reference is how many writes all of them send without the faults. worst is the
	// largest ratio of a schedule's writes to those that it sends without them.
	reference int
	worst     float64
}

// play plays schedules with the edits of calm. Each must end in the same state, without
// many more writes.
func (c *comparison) play(t *testing.T, target string, calm outcome, schedules []schedule) {
	t.Helper()
	schedules = c.rest(schedules)
	c.reference += len(schedules) * len(calm.writes)
	var mu sync.Mutex
	c.join(each(t, target, *parallel, len(schedules), func(i int) (outcome, error) {
		schedules[i].end = calm.end
		o, err := play(t.Context(), schedules[i])
		ratio := float64(len(o.writes)) / float64(len(calm.writes))
		mu.Lock()
		defer mu.Unlock()
		c.worst = max(c.worst, ratio)
		if err == nil && ratio > mostWrites {
			err = fmt.Errorf("%s: %d writes, %d without the faults:\n%s", schedules[i].name, len(o.writes), len(calm.writes), strings.Join(o.writes, "\n"))
		}
		return o, err
	}))
}

func (c *comparison) report(t *testing.T, target string, begin time.Time) {
	t.Helper()
	report(t, target, begin, &c.tally, "all end as undisturbed; %.3f of the writes without faults, at most %.2f", float64(c.writes)/float64(c.reference), c.worst)
}
