// Package reliability_test plays schedules of faults between the manager and a
// real API server while a user edits, and holds what the manager does to a model:
// a pure function of the user's objects. See docs/reliability.md.
package reliability_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testenv"
)

// fullVariable makes the suites play as many schedules as `make reliability`
// does.
const fullVariable = "SCOPEGATE_RELIABILITY_SCHEDULES"

var (
	firstSeed = flag.Int64("seed", 1, "seed of the first schedule")
	patience  = flag.Duration("patience", 3*time.Minute, "how long to wait for what takes milliseconds, or seconds where watches and requests back off")
	parallel  = flag.Int("schedules-at-a-time", 12, "how many schedules are played at a time")
)

var (
	cluster *testenv.Cluster
	seen    *mirror
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if cluster, err = testenv.Start(ctx, controlplane.Options{GarbageCollector: true}); err != nil {
		return 1, err
	}
	defer func() {
		cancel()
		if stopped := cluster.Stop(); err == nil {
			err = stopped
		}
	}()
	if !testing.Verbose() || full() > 0 {
		ctrl.SetLogger(logr.Discard())
	}
	if seen, err = newMirror(ctx); err != nil {
		return 1, err
	}
	code = m.Run()
	if violations := cluster.Rollouts.Stop(); len(violations) > 0 {
		return 1, fmt.Errorf("run configs were rolled out that the auth server refuses:\n%s", strings.Join(violations, "\n"))
	}
	return code, nil
}

// full is how many random schedules are asked for, 0 for the few of `make test`.
func full() int {
	n, err := strconv.Atoi(os.Getenv(fullVariable))
	if err != nil {
		return 0
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
