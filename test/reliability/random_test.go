package reliability_test

import (
	"cmp"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/scopegate/scopegate/test/reliability/faults"
)

// schedulesOfMakeTest is how many random schedules `make test` plays.
const schedulesOfMakeTest = 12

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

func playRandom(t *testing.T, p *plane, target, came string) {
	t.Helper()
	begin, before := time.Now(), p.Rollouts.Seen()
	var schedules []schedule
	for i := range cmp.Or(*full, schedulesOfMakeTest) {
		schedules = append(schedules, randomSchedule(p, *firstSeed+int64(i)))
	}
	var total tally
	total.play(t, target, atATime, schedules)
	report(t, target, begin, &total, "from seed %d on: %s; %d revisions, %d invalid",
		*firstSeed, came, p.Rollouts.Seen()-before, len(p.Rollouts.Violations()))
}

// TestRandomSchedules plays random edits among random faults. No revision of a
// Deployment may ever have a run config that its auth server refuses. The
// manager must not delete or overwrite anything that it should keep. In the end
// everything must be as the model says.
func TestRandomSchedules(t *testing.T) {
	playRandom(t, standalone, "R1", "all as the model says in the end")
}

// TestGuardRandomSchedules plays random edits and writes of ToolHive's operator
// among random faults, in guard mode. In the end every entry must be right,
// ToolHive must have lost no condition, and no pod may have been created while the
// condition of its consumer was False.
func TestGuardRandomSchedules(t *testing.T) {
	playRandom(t, guarded, "R1, guard mode", "all entries right in the end")
}
