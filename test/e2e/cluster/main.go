// Command cluster starts a real Kubernetes cluster of one node on this machine
// and stays up until Ctrl-C, to try things on. With --toolhive, ToolHive's
// operator runs on it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/scopegate/scopegate/test/e2e/node"
	"github.com/scopegate/scopegate/test/e2e/toolhive"
)

func main() {
	withToolHive := flag.Bool("toolhive", false, "install ToolHive's CRDs and its operator")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *withToolHive)
	// An end that was asked for is none that failed.
	failed := err != nil && ctx.Err() == nil
	stop()
	if failed {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, withToolHive bool) (err error) {
	options := node.Options{Output: os.Stdout}
	if withToolHive {
		options.Images = toolhive.Images()
	}
	cluster, err := node.Start(ctx, options)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := cluster.Stop(); stopErr != nil {
			err = stopErr
		}
	}()
	if withToolHive {
		if err := toolhive.Install(ctx, cluster); err != nil {
			return err
		}
	}
	fmt.Printf(`
export KUBECONFIG=%s
alias kubectl=%s

Logs are in %s. Ctrl-C ends the cluster.
`, cluster.Kubeconfig, cluster.KubectlPath, cluster.Folder)
	<-ctx.Done()
	return nil
}
