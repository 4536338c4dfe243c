// Command devcluster shows scopegate at work. It starts a real control plane on
// this machine, runs the manager in it, and walks through the manifests of
// config/samples with kubectl, checking each step: first the guard on ToolHive's
// CRDs, then standalone mode. Then it stays up and shows the tree of all objects.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Exit codes. The flag package uses 2.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

const usage = `devcluster starts kube-apiserver, etcd and kube-controller-manager on this machine,
runs scopegate's manager in it, and shows with kubectl how it works: first the guard
on ToolHive's CRDs, then standalone mode. It then stays up until Ctrl-C and shows the
tree of all objects.

Usage, in the root folder of the repository: devcluster [flags]

`

const exits = `
Exit codes: 0 all steps succeeded, 1 a step or the control plane failed,
2 wrong usage, 130 interrupted before the last step was done.
`

func main() {
	exit := flag.Bool("exit", false, "Exit after the last step.")
	guard := flag.Bool("guard", false, "Show only the guard.")
	standalone := flag.Bool("standalone", false, "Show only standalone mode.")
	flag.Usage = func() {
		_, _ = fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
		_, _ = fmt.Fprint(flag.CommandLine.Output(), exits)
	}
	flag.Parse()
	// kubectl finds the plugin beside this command.
	if self, err := os.Executable(); err == nil {
		_ = os.Setenv("PATH", filepath.Dir(self)+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	// Without SIGPIPE here, `devcluster | head` would leave the control plane
	// running.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	// Whether each part is of standalone mode.
	parts := []bool{false, true}
	if *guard != *standalone {
		parts = []bool{*standalone}
	}
	code := 0
	if err := run(ctx, parts, !*exit); err != nil {
		code = exitFailed
		if ctx.Err() != nil {
			err, code = errors.New("interrupted before the last step was done"), exitInterrupted
		}
		fmt.Fprintln(os.Stderr, "devcluster:", err)
	}
	cancel()
	os.Exit(code)
}
