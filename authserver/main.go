// Command authserver runs ToolHive's embedded auth server as a separate process,
// from the run config that scopegate puts into the pod. It is the last check: it
// exits at once on a run config that ToolHive rejects, whoever rolled it out.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"github.com/stacklok/toolhive/pkg/authserver"
	"github.com/stacklok/toolhive/pkg/authserver/runner"

	// The image has no CA certificates; where there are some, these are not used.
	_ "golang.org/x/crypto/x509roots/fallback"
)

// Exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

// options are the values of the command line flags.
type options struct {
	config, listen string
	delay, grace   time.Duration
}

func main() {
	options, err := parse(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "authserver: %v (see --help)\n", err)
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err = run(ctx, options)
	stop()
	if err != nil {
		// Always a single line, since `kubectl logs` shows it for a pod that does
		// not start.
		fmt.Fprintf(os.Stderr, "authserver: %s\n", strings.Join(strings.Fields(err.Error()), " "))
		os.Exit(exitFailure)
	}
}

func parse(args []string, help io.Writer) (options, error) {
	var parsed options
	flags := pflag.NewFlagSet("authserver", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&parsed.config, "config", "", "the run config, a JSON `file` (required)")
	flags.StringVar(&parsed.listen, "listen", ":8080", "the `address` to serve on")
	flags.DurationVar(&parsed.delay, "shutdown-delay", 3*time.Second,
		"how long to accept requests after SIGTERM, until clients notice the shutdown")
	flags.DurationVar(&parsed.grace, "shutdown-grace", 20*time.Second, "how long to wait after that for requests in flight")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		_, _ = fmt.Fprintf(help, "authserver runs ToolHive's embedded auth server from a run config.\n\nUsage: authserver --config FILE [--listen ADDRESS]\n\n%s",
			flags.FlagUsages())
		return options{}, err
	case err != nil:
		return options{}, err
	case flags.NArg() > 0:
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case parsed.config == "":
		return options{}, errors.New("--config must name the run config")
	}
	return parsed, nil
}

func run(ctx context.Context, options options) error {
	config, err := readRunConfig(options.config)
	if err != nil {
		return err
	}
	auth, err := start(ctx, config)
	if err != nil {
		return fmt.Errorf("%s: %w", options.config, err)
	}
	return serve(ctx, auth, options, slog.Default())
}

// start builds the auth server. It prints ToolHive's log only after a successful
// start, so that a failed start prints a single line, its error.
func start(ctx context.Context, config *authserver.RunConfig) (*runner.EmbeddedAuthServer, error) {
	var held bytes.Buffer
	slog.SetDefault(slog.New(slog.NewJSONHandler(&held, nil)))
	auth, err := newEmbeddedAuthServer(ctx, config)
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err != nil {
		return nil, err
	}
	// A background task may keep the silenced logger, but it must not keep the
	// buffer.
	_, _ = held.WriteTo(os.Stderr)
	return auth, nil
}

// newEmbeddedAuthServer turns a panic into an error: ToolHive panics on some
// invalid URLs, and a stack trace would hide the cause.
func newEmbeddedAuthServer(ctx context.Context, config *authserver.RunConfig) (auth *runner.EmbeddedAuthServer, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("ToolHive's auth server panics on this run config: %v", cause)
		}
	}()
	return runner.NewEmbeddedAuthServer(ctx, config)
}
