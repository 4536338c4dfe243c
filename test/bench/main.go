// Command bench measures what docs/dev/benchmarks.md shows, and prints the tables.
// Every figure is a ratio of two sides that are measured in turn in the same run:
// absolute times say more about the machine. Its arguments are the names of the
// benchmarks to run; without any it runs all.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

type options struct {
	configs, consumers, rounds int
	rest                       time.Duration
}

// benchmarks in the order in which they run.
var benchmarks = []struct {
	name string
	run  func(context.Context, options) error
}{
	{"lint", lintBench(many)},
	{"lint-pairs", lintBench(across)},
	{"lint-document", lintBench(single)},
	{"coldstart", coldStartBench},
	{"create", createBench},
	{"webhook", webhookBench},
	{"fanout", fanOutBench},
	{"edit", editBench},
	{"rest", restBench},
}

func main() {
	var o options
	flag.IntVar(&o.configs, "configs", 5000, "how many MCPExternalAuthConfigs a cold start has")
	flag.IntVar(&o.consumers, "consumers", 10000, "how many MCPServers reference them")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each side of a cold start is measured; the processes of lint are measured five times as often")
	flag.DurationVar(&o.rest, "rest", 10*time.Minute, "how long the manager at rest is measured")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, flag.Args(), o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string, o options) error {
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
			if err := benchmark.run(ctx, o); err != nil {
				return fmt.Errorf("%s: %w", benchmark.name, err)
			}
		}
	}
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
