package reliability_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/reliability/faults"
)

// story is a user's day: each edit changes a verdict, a rollout or both, from
// another direction.
func story() []edit {
	return []edit{
		setBaseline("a", []string{"openid", "admin"}, nil), // web and proxy are held
		setScopes("web", []string{"openid", "admin"}),      // web rolls
		setReference("proxy", false, "b"),                  // proxy moves, and is held
		setBaseline("b", []string{"openid"}, nil),          // proxy and api roll
		setReference("api", true, ""),                      // api loses its children
		setReference("api", true, "b"),                     // and has them again
		setReference("api", false, "a"),                    // it names two auth servers: held, and reported on both configs
		setType("a"), setType("a"),                         // one has another type, and then its type again
		setReference("api", false, ""),
		setInline(true, []string{"admin"}), // virtual is held
		setInline(false, nil),              // virtual loses its children
		setType("b"),                       // api and proxy are held, or have none
		toggle("b"), toggle("b"),           // it goes, and comes
		replaceChild("web", true, true),                        // somebody else's Deployment
		setScopes("web", []string{"openid", "admin", "email"}), // is not touched
		replaceChild("web", true, false),                       // it goes
		recreate("web"),                                        // the same name, another object
		toggle("oidc"), toggle("oidc"),
		setReference("web", true, "none"), // no such config
		toggle("a"),
	}
}

// scenarios are the story, and in a full run some random ones.
func scenarios() [][]edit {
	all := [][]edit{story()}
	if *full > 0 {
		for seed := range int64(4) {
			var edits []edit
			random := newRandom(*firstSeed + seed)
			for range 12 {
				edits = append(edits, standalone.edit(random))
			}
			all = append(all, edits)
		}
	}
	return all
}

// plan returns a schedule with one edit in each step.
func plan(p *plane, name string, edits []edit, each func(i int, s *step)) schedule {
	s := schedule{plane: p, name: name, concurrency: 4}
	for i, e := range edits {
		one := step{edits: []edit{e}}
		if each != nil {
			each(i, &one)
		}
		s.steps = append(s.steps, one)
	}
	return s
}

func undisturbed(t *testing.T, p *plane, name string, edits []edit) *outcome {
	t.Helper()
	o, err := play(t.Context(), plan(p, name, edits, nil))
	expect.NoError(t, err)
	return &o
}

// sparse returns every n-th of all, or all in a full run.
func sparse[T any](all []T, n int) []T {
	if *full > 0 {
		return all
	}
	var some []T
	for i := range all {
		if i%n == 0 {
			some = append(some, all[i])
		}
	}
	return some
}

// TestCrashes ends the manager before and after each of its writes. The next one
// must reach the same state, without many more writes.
func TestCrashes(t *testing.T) { crashes(t, standalone, "R2", scenarios(), 41) }

// crashes plays one in every few crashes, or all in a full run.
func crashes(t *testing.T, p *plane, target string, scenarios [][]edit, every int) {
	t.Helper()
	begin := time.Now()
	var total tally
	for n, edits := range scenarios {
		calm := undisturbed(t, p, fmt.Sprintf("crash-%d", n), edits)
		var schedules []schedule
		for write := range len(calm.writes) {
			for _, sent := range []bool{false, true} {
				s := plan(p, fmt.Sprintf("crash-%d-%d-%t", n, write+1, sent), edits, nil)
				s.calm, s.crash, s.sent = calm, write+1, sent
				schedules = append(schedules, s)
			}
		}
		total.play(t, target, atATime, sparse(schedules, every))
	}
	total.compare(t, target, begin)
}

// TestThePast restarts the manager against an API server that shows some of the
// objects as they were. It goes on when the manager has done everything that
// follows from that.
func TestThePast(t *testing.T) {
	begin := time.Now()
	var total tally
	for n, edits := range scenarios() {
		var schedules []schedule
		for _, listOnly := range []bool{false, true} {
			// A step of the user is followed by one of the restart.
			for back := 1; back <= 5; back += 2 {
				for _, which := range append([][]string{standaloneResources}, single(standaloneResources)...) {
					past := map[string]int{}
					for _, resource := range which {
						past[resource] = back
					}
					s := plan(standalone, fmt.Sprintf("past-%d-%d-%d-%t", n, len(schedules), back, listOnly), edits, nil)
					s.listOnly = listOnly
					var steps []step
					for i, one := range s.steps {
						steps = append(steps, one)
						if *full == 0 && i%2 > 0 {
							continue
						}
						steps = append(steps, step{restart: true, past: past, settle: true})
					}
					s.steps = steps
					schedules = append(schedules, s)
				}
			}
		}
		// One at a time, because reconciles are counted for the whole process.
		total.play(t, "R3", 1, sparse(schedules, 25))
	}
	report(t, "R3", begin, &total, "0 unsafe actions")
}

// TestTheUserIsQuicker puts somebody else's object in the place of a child right
// before each write that follows an edit: after the manager has looked, and
// before it acts.
func TestTheUserIsQuicker(t *testing.T) {
	begin := time.Now()
	var schedules []schedule
	for _, deployment := range []bool{true, false} {
		s := schedule{plane: standalone, name: fmt.Sprintf("quicker-%t", deployment), concurrency: 4}
		for round := range 2 {
			for write := 1 + round%2; write <= 6; write += 2 {
				port := int32(9000 + 100*round + 10*write)
				s.steps = append(s.steps,
					// Both children are created, then applied, then applied once more.
					step{edits: []edit{setPort("web", port)}},
					step{edits: []edit{setPort("web", port+1), replaceChild("web", deployment, true)}, user: write},
					step{edits: []edit{replaceChild("web", deployment, false)}})
			}
		}
		schedules = append(schedules, s)
	}
	var total tally
	total.play(t, "R3", atATime, schedules)
	report(t, "R3", begin, &total, "0 unsafe actions where the user is quicker than a write")
}

func single(all []string) [][]string {
	var singles [][]string
	for _, one := range all {
		singles = append(singles, []string{one})
	}
	return singles
}

// quiet is how long no reconcile may run or end before all are considered done. If it
// were too short, a schedule would be easier, but no test would fail.
const quiet = 50 * time.Millisecond

// awaitReconciles acts, and waits until as many objects are reconciled, with all
// consequences.
func awaitReconciles(ctx context.Context, objects int, act func()) error {
	before, _, err := testenv.Reconciles()
	if err != nil {
		return err
	}
	act()
	last, since := before, time.Now()
	return wait.PollUntilContextTimeout(ctx, quiet/10, *patience, true, func(context.Context) (bool, error) {
		ended, active, err := testenv.Reconciles()
		if ended != last {
			last, since = ended, time.Now()
		}
		// A worker of the old process may end after the new one has set the number to 0.
		return ended-before >= float64(objects) && active <= 0 && time.Since(since) > quiet, err
	})
}

// faultEvery is the number of steps from one fault of a schedule to the next. A
// client that is told again and again that its watch is gone waits longer each
// time, up to a minute.
const faultEvery = 7

// TestMissedEvents holds back what the manager watches while the user edits, and
// then delivers it late, breaks the watches, or says that it is gone.
func TestMissedEvents(t *testing.T) {
	begin := time.Now()
	var total tally
	for n, edits := range scenarios() {
		calm := undisturbed(t, standalone, fmt.Sprintf("missed-%d", n), edits)
		var schedules []schedule
		for _, listOnly := range []bool{false, true} {
			for _, ending := range []faults.Ending{faults.Gone, faults.Cut, faults.Deliver} {
				for _, which := range append([][]string{standaloneResources}, single(standaloneResources)...) {
					for first := range faultEvery {
						s := plan(standalone, fmt.Sprintf("missed-%d-%d-%v", n, len(schedules), ending), edits, func(i int, s *step) {
							if i%faultEvery == first {
								s.held, s.ending = which, ending
							}
						})
						s.listOnly, s.calm = listOnly, calm
						schedules = append(schedules, s)
					}
				}
			}
		}
		total.play(t, "R4", atATime, sparse(schedules, 157))
	}
	total.compare(t, "R4", begin)
}

// TestFailingRequests makes a quarter, and then a half, of all requests fail.
func TestFailingRequests(t *testing.T) {
	begin := time.Now()
	var total tally
	for n, edits := range scenarios() {
		calm := undisturbed(t, standalone, fmt.Sprintf("failing-%d", n), edits)
		var schedules []schedule
		for i := range 20 {
			for _, rate := range []float64{0.25, 0.5} {
				s := plan(standalone, fmt.Sprintf("failing-%d-%d-%.0f", n, i, 100*rate), edits, func(j int, s *step) {
					s.rate, s.seed = rate, *firstSeed+int64(100*i+j)
				})
				s.calm = calm
				schedules = append(schedules, s)
			}
		}
		total.play(t, "R5", atATime, sparse(schedules, 15))
	}
	total.compare(t, "R5", begin)
}

// TestWritesWhatChanges restarts a manager that has nothing left to do, which writes
// nothing, and edits a config with two consumers, which writes each status once.
func TestWritesWhatChanges(t *testing.T) {
	w := worldOf(t, standalone, "writes")
	k := keep(t.Context(), w, 4, start{})
	awaitRight(t, w)
	expect.NoError(t, awaitReconciles(t.Context(), len(configKeys)+len(consumerKeys), func() { k.restart(t.Context(), nil) }))
	expect.Equal(t, "writes of a steady state", []string(nil), k.current().Writes())
	expect.NoError(t, awaitReconciles(t.Context(), 3, func() {
		expect.NoError(t, w.do(t.Context(), setBaseline("a", []string{"openid", "admin"}, nil), true))
	}))
	want := []string{"patch mcpexternalauthconfigs/status a", "patch mcpremoteproxies/status web", "patch mcpservers/status web"}
	expect.Equal(t, "writes after an edit", want, slices.Sorted(slices.Values(k.current().Writes())))
	awaitRight(t, w)
	expect.NoError(t, k.end())
}
