package reliability_test

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/scopegate/scopegate/test/reliability/faults"
)

// schedulesOfMakeTest is how many random schedules `make test` plays.
const schedulesOfMakeTest = 24

func newRandom(seed int64) *rand.Rand {
	return rand.New(rand.NewSource(seed)) //nolint:gosec // To be replayed, not to be secret.
}

// randomSchedule returns the schedule of a seed: a few steps, each with a few
// edits and one thing that goes wrong.
func randomSchedule(p *plane, seed int64) schedule {
	random := newRandom(seed)
	s := schedule{
		plane: p, name: fmt.Sprintf("random-%d", seed), concurrency: pick(random, []int{1, 4, 16}), listOnly: random.Intn(2) == 0,
	}
	for i := range 3 + random.Intn(3) {
		s.steps = append(s.steps, randomStep(p, random, i))
	}
	return s
}

func randomStep(p *plane, random *rand.Rand, i int) step {
	var s step
	for range 1 + random.Intn(3) {
		s.edits = append(s.edits, p.edit(random))
	}
	switch random.Intn(6) {
	case 0:
		s.crash, s.sent = 1+random.Intn(4), random.Intn(2) == 0
	case 1:
		s.restart, s.past = true, map[string]int{}
		for _, resource := range some(random, p.resources) {
			s.past[resource] = 1 + random.Intn(i+1)
		}
	case 2:
		s.held, s.ending = some(random, p.resources), pick(random, []faults.Ending{faults.Deliver, faults.Cut, faults.Gone})
	case 3:
		s.user = 1 + random.Intn(3)
	case 4:
		s.rate, s.seed = 0.1+0.4*random.Float64(), random.Int63()
	default:
		// Nothing goes wrong but the race with the user.
	}
	return s
}

// some returns a few of the resources.
func some(random *rand.Rand, resources []string) []string {
	var few []string
	for _, i := range random.Perm(len(resources))[:1+random.Intn(3)] {
		few = append(few, resources[i])
	}
	return few
}

// TestRandomSchedules plays random edits among random faults. No revision of a
// Deployment may ever have a run config that its auth server refuses. The
// manager must not delete or overwrite anything that it should keep. In the end
// everything must be as the model says.
func TestRandomSchedules(t *testing.T) {
	n := schedulesOfMakeTest
	if full() > 0 {
		n = full()
	}
	begin, before := time.Now(), standalone.Rollouts.Seen()
	total := each(t, "R1", *parallel, n, func(i int) (outcome, error) {
		return play(t.Context(), randomSchedule(standalone, *firstSeed+int64(i)))
	})
	report(t, "R1", begin, total, "seeds %d to %d: %d revisions, %d invalid",
		*firstSeed, *firstSeed+int64(n)-1, standalone.Rollouts.Seen()-before, len(standalone.Rollouts.Violations()))
}
