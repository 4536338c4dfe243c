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
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
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

// options are the values of the command line flags.
type options struct {
	exit bool
	// guard or standalone is the part to show; both are shown if neither is set.
	guard, standalone bool
	samples           string
	metricsAddr       string
}

// console is the output that the user reads. It ignores write errors, since
// SIGPIPE ends the command if the pipe is closed.
type console struct{ io.Writer }

func (c console) printf(format string, args ...any) { _, _ = fmt.Fprintf(c, format, args...) }

// errHelp means that the help was requested and printed.
var errHelp = errors.New("help")

func main() {
	opts, err := parse(os.Args[1:], console{os.Stdout})
	switch {
	case errors.Is(err, errHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(exitUsage)
	}
	// kubectl finds the plugin beside this command.
	if self, err := os.Executable(); err == nil {
		_ = os.Setenv("PATH", filepath.Dir(self)+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	// Without SIGPIPE here, `devcluster | head` would leave the control plane
	// running.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	if opts.guard || opts.standalone {
		err = run(ctx, console{os.Stdout}, opts)
	} else {
		err = runBoth(ctx, os.Args[1:])
	}
	cancel()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(os.Stderr, "devcluster: interrupted before the last step was done")
		os.Exit(exitInterrupted)
	case err != nil:
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(exitFailed)
	}
}

// runBoth shows both parts. Each has a process of its own, as two managers have
// controllers of the same names.
func runBoth(ctx context.Context, arguments []string) error {
	for _, of := range [][]string{{"--guard", "--exit"}, {"--standalone"}} {
		command := exec.CommandContext(ctx, os.Args[0], append(of, arguments...)...) //nolint:gosec // Itself.
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		// A signal from a terminal reaches it anyway; a second one does no harm.
		command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
		// After a signal, Run returns an error even if the process ended well.
		if err := command.Run(); err != nil && (command.ProcessState == nil || !command.ProcessState.Success()) {
			return err
		}
		fmt.Println()
	}
	return nil
}

// parse parses the command line. It prints the help to out on request.
func parse(arguments []string, out console) (options, error) {
	var opts options
	flags := flag.NewFlagSet("devcluster", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&opts.exit, "exit", false, "Exit after the last step.")
	flags.BoolVar(&opts.guard, "guard", false, "Show only the guard.")
	flags.BoolVar(&opts.standalone, "standalone", false, "Show only standalone mode.")
	flags.StringVar(&opts.samples, "samples", "config/samples", "`Folder` with the sample manifests.")
	flags.StringVar(&opts.metricsAddr, "metrics-bind-address", "0", "`Address` on which the manager serves metrics, for example 127.0.0.1:8080; 0 disables them.")
	err := flags.Parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		out.printf("%s", usage)
		flags.SetOutput(out)
		flags.PrintDefaults()
		out.printf("%s", exits)
		return opts, errHelp
	case err != nil:
		return opts, fmt.Errorf("%w; see --help for the flags", err)
	case flags.NArg() > 0:
		return opts, fmt.Errorf("unexpected argument %q; see --help for the flags", flags.Arg(0))
	}
	if opts.guard && opts.standalone {
		opts.guard, opts.standalone = false, false
	}
	if _, err := os.Stat(filepath.Join(opts.samples, mistakes)); err != nil {
		return opts, fmt.Errorf("no sample manifests: %w; run this in the root folder of the repository, or set --samples", err)
	}
	return opts, nil
}
