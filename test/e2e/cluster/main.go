// Command cluster starts a real Kubernetes cluster of one node on this machine
// and stays up until Ctrl-C, to try things on. With --toolhive, ToolHive's
// operator runs on it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/scopegate/scopegate/test/e2e/node"
	"github.com/scopegate/scopegate/test/e2e/toolhive"
)

func main() {
	check := flag.Bool("check", false, "only report whether this machine can run a cluster, and what it lacks")
	withToolHive := flag.Bool("toolhive", false, "install ToolHive's CRDs and its operator")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := node.CheckMachine()
	if err == nil && !*check {
		err = run(ctx, *withToolHive)
	}
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
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	if withToolHive {
		if err := install(ctx, cluster); err != nil {
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

// install applies ToolHive's manifests, and waits until its operator is Ready.
func install(ctx context.Context, cluster *node.Cluster) error {
	manifests, err := toolhive.Manifests(".")
	if err != nil {
		return err
	}
	apply := []string{"apply", "--server-side"}
	for _, manifest := range manifests {
		apply = append(apply, "--filename", manifest)
	}
	for _, arguments := range [][]string{apply, {"--namespace", toolhive.Namespace, "rollout", "status", "deployment/toolhive-operator", "--timeout", "2m"}} {
		command := exec.CommandContext(ctx, cluster.KubectlPath, append([]string{"--kubeconfig", cluster.Kubeconfig}, arguments...)...) //nolint:gosec // The pinned binary.
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		if err := command.Run(); err != nil {
			return fmt.Errorf("installing ToolHive's operator: %w", err)
		}
	}
	return nil
}
