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
	"strings"
	"syscall"

	"github.com/scopegate/scopegate/test/e2e/chart"
	"github.com/scopegate/scopegate/test/e2e/node"
)

func main() {
	check := flag.Bool("check", false, "only report whether this machine can run a cluster, and what it lacks")
	list := flag.Bool("list", false, "only print the names and archives of the images, for a cluster of another kind")
	withToolHive := flag.Bool("toolhive", false, "install ToolHive's CRDs and its operator")
	var images []node.Image
	flag.Func("image", "an image that pods can run, as `NAME=ARCHIVE`, of `make image` for instance; it can be given several times", func(value string) error {
		name, archive, found := strings.Cut(value, "=")
		images = append(images, node.Image{Name: name, Archive: archive})
		if !found {
			return errors.New("it is not NAME=ARCHIVE")
		}
		return nil
	})
	flag.Parse()
	if *list {
		for _, image := range append(node.ToolHiveImages(), images...) {
			fmt.Println(image.Reference(), image.Archive)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := node.CheckMachine()
	if err == nil && !*check {
		err = run(ctx, images, *withToolHive)
	}
	// Ctrl-C is not a failure.
	failed := err != nil && ctx.Err() == nil
	stop()
	if failed {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, images []node.Image, withToolHive bool) (err error) {
	if withToolHive {
		images = append(images, node.ToolHiveImages()...)
	}
	cluster, err := node.Start(ctx, images)
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

func install(ctx context.Context, cluster *node.Cluster) error {
	manifests, err := chart.Manifests(".")
	if err != nil {
		return err
	}
	apply := []string{"apply", "--server-side"}
	for _, manifest := range manifests {
		apply = append(apply, "--filename", manifest)
	}
	for _, arguments := range [][]string{apply, {"--namespace", chart.Namespace, "rollout", "status", "deployment/toolhive-operator", "--timeout", "2m"}} {
		command := exec.CommandContext(ctx, cluster.KubectlPath, append([]string{"--kubeconfig", cluster.Kubeconfig}, arguments...)...) //nolint:gosec // The pinned binary.
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		if err := command.Run(); err != nil {
			return fmt.Errorf("installing ToolHive's operator: %w", err)
		}
	}
	return nil
}
