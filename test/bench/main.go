// Command bench measures what docs/dev/benchmarks.md shows, and prints the tables.
// Most figures are ratios of two sides that are measured in turn in the same run,
// because absolute times say more about the machine. Its arguments are the names
// of the benchmarks to run; without any it runs all.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// rounds is how often each side is measured; the processes of lint are measured five times
// as often.
const rounds = 3

// benchmarks are in the order in which they run.
var benchmarks = []struct {
	name string
	run  func(context.Context)
}{
	{"lint", lintBench(many)},
	{"lint-pairs", lintBench(across)},
	{"lint-document", lintBench(single)},
	{"coldstart", coldStartBench},
	{"create", createBench},
	{"webhook", webhookBench},
	{"fanout", fanOutBench},
	{"edit", editBench},
	{"lists", listsBench},
	{"tenant", tenantBench},
	{"rest", restBench},
}

func main() {
	ctrl.SetLogger(logr.Discard())
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	release()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	var known []string
	for _, benchmark := range benchmarks {
		known = append(known, benchmark.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no benchmark %q, only %s", name, strings.Join(known, ", "))
		}
	}
	for _, benchmark := range benchmarks {
		if len(names) == 0 || slices.Contains(names, benchmark.name) {
			if err := attempt(func() { benchmark.run(ctx) }); err != nil {
				return fmt.Errorf("%s: %w", benchmark.name, err)
			}
		}
	}
	return nil
}

// failure is the value with which check panics. So a benchmark that fails still
// makes its deferred calls.
type failure struct{ error }

func check(err error) {
	if err != nil {
		panic(failure{err})
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

// attempt returns the error with which a benchmark fails.
func attempt(benchmark func()) (err error) {
	defer func() { err = errorOf(recover()) }()
	benchmark()
	return nil
}

// stop is for defer. It does not hide a failure that is in progress.
func stop(end func() error) {
	err := end()
	check(errors.Join(errorOf(recover()), err))
}

func errorOf(panicked any) error {
	if panicked == nil {
		return nil
	}
	failed, ok := panicked.(failure)
	if !ok {
		panic(panicked)
	}
	return failed.error
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
