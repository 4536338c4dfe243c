// Command devcluster shows scopegate at work. It starts a real control plane on
// this machine, runs the manager in it, and walks through the manifests of
// config/samples with kubectl, checking each step: first the guard on ToolHive's
// CRDs, then standalone mode. Then it stays up and shows the tree of all objects.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
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
	var code int
	if *guard == *standalone {
		code = runBoth(ctx, *exit)
	} else {
		code = runOne(ctx, *standalone, !*exit)
	}
	cancel()
	os.Exit(code)
}

// runBoth shows both parts, and returns the exit code. Each has a process of its own, as
// two managers have controllers of the same names.
func runBoth(ctx context.Context, exit bool) int {
	for _, arguments := range [][]string{{"--guard", "--exit"}, {"--standalone", fmt.Sprintf("--exit=%t", exit)}} {
		command := exec.CommandContext(ctx, os.Args[0], arguments...) //nolint:gosec // Itself.
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		// A signal from a terminal reaches it anyway; a second one does no harm.
		command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
		// After a signal, Run returns an error even if the process ended well.
		if err := command.Run(); command.ProcessState == nil {
			fmt.Fprintln(os.Stderr, "devcluster:", err)
			return exitFailed
		}
		if code := command.ProcessState.ExitCode(); code != 0 {
			return code
		}
		fmt.Println()
	}
	return 0
}

// runOne shows one part, and returns the exit code.
func runOne(ctx context.Context, standalone, stay bool) int {
	switch err := run(ctx, standalone, stay); {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "devcluster: interrupted before the last step was done")
		return exitInterrupted
	default:
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		return exitFailed
	}
}
