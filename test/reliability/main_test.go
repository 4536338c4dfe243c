// Package reliability_test plays schedules of faults between the manager and a
// real API server while a user edits, and holds what the manager does to a model:
// a pure function of the user's objects. See docs/dev/reliability.md.
package reliability_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// fullVariable makes the suites play as many schedules as `make prove SUITE=reliability`
// does.
const fullVariable = "SCOPEGATE_RELIABILITY_SCHEDULES"

var (
	firstSeed = flag.Int64("seed", 1, "seed of the first schedule")
	patience  = flag.Duration("patience", 3*time.Minute, "how long to wait for what takes milliseconds, or seconds where watches and requests back off")
	parallel  = flag.Int("schedules-at-a-time", 12, "how many schedules are played at a time")
)

// plane is a control plane of a mode, and what is seen of it.
type plane struct {
	*testenv.Cluster
	seen *mirror
	// manager are the options of the managers that run on it.
	manager   operator.Options
	resources []string
	edit      func(*rand.Rand) edit
	// wrong names the first thing that is not yet as it has to be, or "".
	wrong func(*world) string
}

// standalone is the plane of standalone mode, and guarded that of guard mode.
var standalone, guarded *plane

func TestMain(m *testing.M) {
	testenv.MainAfter(m, func(ctx context.Context, atEnd func(func() error)) error {
		start := func(p *plane, options controlplane.Options) (err error) {
			if p.Cluster, err = testenv.Start(ctx, options); err != nil {
				return err
			}
			atEnd(p.Stop)
			p.seen, err = newMirror(ctx, p.Config)
			return err
		}
		standalone = &plane{
			manager: operator.Options{Standalone: true, AuthServerImage: testenv.AuthServerImage}, resources: standaloneResources,
			edit: anEdit, wrong: func(w *world) string { return w.model.wrong(w) },
		}
		if err := start(standalone, controlplane.Options{GarbageCollector: true}); err != nil {
			return err
		}
		atEnd(standalone.Refused)
		crds, err := setup.LikeToolHive()
		if err != nil {
			return err
		}
		guarded = &plane{manager: operator.Options{}, resources: guardResources, edit: anEditBesideToolHive, wrong: wrongEntry}
		if err := start(guarded, controlplane.Options{GarbageCollector: true, Guard: true, CRDs: crds}); err != nil {
			return err
		}
		if !testing.Verbose() || full() > 0 {
			ctrl.SetLogger(logr.Discard())
		}
		return nil
	})
}

// full is how many random schedules are asked for, 0 for the few of `make test`.
func full() int {
	text := os.Getenv(fullVariable)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		fmt.Fprintf(os.Stderr, "FAIL: %s=%s: set it to how many random schedules to play\n", fullVariable, text)
		os.Exit(2)
	}
	return n
}

// each plays numbered schedules, several at a time, and stops after a few
// failures.
func each(t *testing.T, n int, play func(i int) error) {
	t.Helper()
	var (
		next, failures atomic.Int64
		workers        sync.WaitGroup
	)
	for range *parallel {
		workers.Go(func() {
			for failures.Load() < 3 {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := play(i); err != nil {
					failures.Add(1)
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
}

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
