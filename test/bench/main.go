// Command bench measures what docs/benchmarks.md shows, on a real control
// plane, and prints the tables. Every figure is a ratio of two sides that are
// measured in turn in the same run: absolute times say more about the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/operator"
)

func main() {
	configs := flag.Int("configs", 5000, "how many MCPExternalAuthConfigs there are")
	consumers := flag.Int("consumers", 10000, "how many MCPServers reference them")
	rounds := flag.Int("rounds", 3, "how often each side is measured")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *configs, *consumers, *rounds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, configs, consumers, rounds int) (err error) {
	plane, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	admin, err := client.New(plane.Config, client.Options{Scheme: operator.Scheme})
	if err != nil {
		return err
	}
	bench := &coldStart{plane: plane, admin: admin, configs: configs, consumers: consumers}
	if err := bench.fill(ctx); err != nil {
		return err
	}
	return bench.measure(ctx, rounds)
}

// progress tells on standard error what takes long.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
