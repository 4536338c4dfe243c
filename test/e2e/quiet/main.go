// Command quiet measures what ToolHive's operator does while the lock holds
// running workloads of every kind: failed reconciles, and writes of their
// statuses. It starts a real cluster of one node with ToolHive's operator and
// pods that are Ready, lets bad edits through that the policies on the objects
// would have refused, waits, and repairs them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/scopegate/scopegate/test/e2e/node"
	"github.com/scopegate/scopegate/test/e2e/toolhive"
)

// limit is how many failed reconciles, and how many writes of its status, a held
// object may cost in a minute.
const limit = 1.0

func main() {
	duration := flag.Duration("for", 5*time.Minute, "how long each of the edits is held")
	rounds := flag.Int("races", 20, "how often the environment and the baseline are edited at once, to see whether a Deployment slips through")
	only := flag.String("only", "", "the one edit to hold, instead of all; \"none\" goes first in any case")
	kubeconfig := flag.String("kubeconfig", "", "of a cluster that runs ToolHive's operator already; none starts one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *kubeconfig, *only, *duration, *rounds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quiet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, only string, duration time.Duration, rounds int) (err error) {
	var cfg *rest.Config
	if kubeconfig != "" {
		if cfg, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
			return err
		}
	} else {
		cluster, err := node.Start(ctx, node.Options{Images: toolhive.Images(), Output: os.Stderr})
		if err != nil {
			return err
		}
		defer func() {
			if stopErr := cluster.Stop(); err == nil {
				err = stopErr
			}
		}()
		if err := toolhive.Install(ctx, cluster); err != nil {
			return err
		}
		cfg = cluster.Config
	}
	b, err := prepare(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Printf("In a minute, over %s for each edit:\n%-24s %-16s %8s %8s %8s %8s %8s %8s\n", duration, "edit", "kind", "failed", "requeued", "requests", "stored", "held", "as it was")
	failed := false
	for _, edit := range edits {
		if only != "" && edit.name != only && edit.name != atRest {
			continue
		}
		ok, err := b.hold(ctx, edit, duration)
		if err != nil {
			return fmt.Errorf("%s: %w", edit.name, err)
		}
		failed = failed || !ok
	}
	slipped, err := b.race(ctx, rounds)
	if err != nil {
		return err
	}
	fmt.Printf("Deployments that slipped through when environment and baseline were edited at once: %d of %d\n", slipped, rounds*len(workloads))
	if failed || slipped > 0 {
		return fmt.Errorf("more than %v a minute, or what ran did not go on as it was", limit)
	}
	return nil
}
