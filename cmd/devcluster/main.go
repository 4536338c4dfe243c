// Command devcluster shows scopegate at work: it starts a real control plane on
// this machine, runs the manager in it, and walks through the manifests of
// config/samples with kubectl. Each step is checked. Then it stays up, with a
// table of all objects that changes as they do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
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
runs scopegate's manager in it, and shows with kubectl what it does. It then stays
up until Ctrl-C, with a live table of all objects.

Usage: devcluster [flags], in the folder of the repository

`

const exits = `
Exit codes: 0 all steps did what they say, 1 a step or the control plane failed,
2 wrong usage, 130 interrupted before the walk was done.
`

// options are what the command line decides.
type options struct {
	exit        bool
	samples     string
	metricsAddr string
}

// console is where a user reads. That it can't be written to is no error: a
// closed pipe ends the command by SIGPIPE.
type console struct{ io.Writer }

func (c console) printf(format string, args ...any) { _, _ = fmt.Fprintf(c, format, args...) }

// errHelp says that the help was asked for and given.
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
	// SIGPIPE, or `devcluster | head` would leave the control plane behind.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	err = run(ctx, console{os.Stdout}, opts)
	cancel()
	switch {
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(os.Stderr, "devcluster: interrupted before the walk was done")
		os.Exit(exitInterrupted)
	case err != nil:
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(exitFailed)
	}
}

// parse reads the command line. It prints the help to out if that is asked for.
func parse(arguments []string, out console) (options, error) {
	var opts options
	flags := flag.NewFlagSet("devcluster", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&opts.exit, "exit", false, "End after the last step.")
	flags.StringVar(&opts.samples, "samples", "config/samples", "`Folder` of the manifests.")
	flags.StringVar(&opts.metricsAddr, "metrics-bind-address", "0", "`Address` where the manager serves metrics, for instance 127.0.0.1:8080; 0 for nowhere.")
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
	if _, err := os.Stat(filepath.Join(opts.samples, mistakes)); err != nil {
		return opts, fmt.Errorf("no samples to walk through: %w; run this in the folder of the repository, or name theirs by --samples", err)
	}
	return opts, nil
}
