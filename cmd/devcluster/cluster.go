package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/versions"
)

// errInterrupted means that run was interrupted before the walk was done.
var errInterrupted = errors.New("interrupted")

// part is what is shown on one control plane.
type part struct {
	name    string
	plane   controlplane.Options
	manager operator.Options
	// before are the steps until the manager starts, and steps the others.
	before, steps []step
}

// newPart returns the part that the options choose.
func newPart(ctx context.Context, opts options) (part, error) {
	manager := operator.Options{MetricsBindAddress: opts.metricsAddr, HealthProbeBindAddress: "0"}
	if opts.standalone {
		manager.Standalone, manager.AuthServerImage = true, "scopegate-authserver:latest"
		return part{name: "standalone mode, without ToolHive", manager: manager, steps: standaloneSteps(opts.samples)}, nil
	}
	crds, err := toolhiveCRDs(ctx, versions.ToolHive.Last)
	return part{
		name: "the guard, beside ToolHive", plane: controlplane.Options{Bare: true, Guard: true, CRDs: crds}, manager: manager,
		before: guardInstall(opts.samples), steps: guardSteps(opts.samples),
	}, err
}

// run shows one part. It then stays up until ctx is done, unless opts.exit is set.
func run(ctx context.Context, out console, opts options) (err error) {
	if err := checkFree(opts.metricsAddr); err != nil {
		return err
	}
	logs, err := openLogs()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.remove()) }()
	ended := context.AfterFunc(ctx, func() { out.printf("\nStopping; this takes a few seconds.\n") })
	defer ended()
	part, err := newPart(ctx, opts)
	if err != nil {
		return interruptedOr(ctx, err)
	}
	out.printf("%s\nStarting kube-apiserver, etcd and kube-controller-manager ...\n", strings.ToUpper(part.name))
	return part.run(ctx, out, logs, !opts.exit)
}

// run shows the part on a control plane of its own.
func (p part) run(ctx context.Context, out console, logs *logs, stay bool) (err error) {
	p.plane.ControllerManager, p.plane.Output = true, logs.controlPlane
	plane, err := controlplane.Start(ctx, p.plane)
	if err != nil {
		return interruptedOr(ctx, err)
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	admin, err := client.NewWithWatch(plane.Config, client.Options{Scheme: operator.Scheme})
	if err != nil {
		return interruptedOr(ctx, fmt.Errorf("reaching the control plane: %w", err))
	}
	walk := &walk{kubectl: plane.Kubectl, client: admin, out: out}
	if err := walk.run(ctx, p.before); err != nil {
		return interruptedOr(ctx, err)
	}
	mgr, err := operator.New(ctx, plane.ManagerConfig(), p.manager)
	if err != nil {
		return interruptedOr(ctx, err)
	}
	// The manager stops before the control plane does. If the manager stops by
	// itself, the rest stops too.
	running, stop := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := mgr.Start(running)
		if err != nil {
			err = fmt.Errorf("running the manager: %w", err)
		}
		stop(err)
		ended <- err
	}()
	err = walk.run(running, p.steps)
	if err == nil {
		out.printf("\nAll %d steps succeeded.\n", walk.done)
	}
	switch {
	case err != nil && ctx.Err() == nil:
		err = errors.Join(err, logs.managerErrors())
	case err != nil:
		err = errInterrupted
	case stay:
		out.printf(stays, quote(plane.Kubeconfig), quote(plane.KubectlPath), logs.folder)
		err = watchTree(running, plane)
	}
	stop(nil)
	if managerErr := <-ended; !errors.Is(err, managerErr) {
		err = errors.Join(err, managerErr)
	}
	return err
}

// watchTree shows the tree of all objects until ctx is done.
func watchTree(ctx context.Context, plane *controlplane.ControlPlane) error {
	command := exec.CommandContext(ctx, plane.KubectlPath, "scopegate", "tree", "--watch", "--all-namespaces") //nolint:gosec // The pinned binary.
	command.Env = append(os.Environ(), "KUBECONFIG="+plane.Kubeconfig)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	if err := command.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("showing the tree: %w", err)
	}
	return nil
}

// stays is printed before the tree.
const stays = `
The control plane stays up. To use it from another terminal:

  export KUBECONFIG=%s
  alias kubectl=%s

Logs are in %s. Ctrl-C stops everything.

`

// interruptedOr returns errInterrupted instead of err if ctx is done.
func interruptedOr(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// checkFree returns an error early if address can't be listened on.
func checkFree(address string) error {
	if address == "" || address == "0" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("metrics can't be served: %w; choose another --metrics-bind-address", err)
	}
	return listener.Close()
}

// logs are the files for output that would clutter the walk.
type logs struct {
	folder                string
	controlPlane, manager *os.File
}

func openLogs() (*logs, error) {
	folder, err := os.MkdirTemp("", "scopegate-logs-")
	if err != nil {
		return nil, fmt.Errorf("creating a folder for logs: %w; set TMPDIR to a writable folder", err)
	}
	opened := &logs{folder: folder}
	for name, file := range map[string]**os.File{
		"kube-controller-manager.log": &opened.controlPlane,
		"manager.log":                 &opened.manager,
	} {
		if *file, err = os.Create(filepath.Join(folder, name)); err != nil { //nolint:gosec // The name is a constant.
			return nil, errors.Join(fmt.Errorf("creating a log file: %w", err), os.RemoveAll(folder))
		}
	}
	logger := zap.New(zap.WriteTo(opened.manager))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	return opened, nil
}

// shownErrors is the maximum number of the manager's errors to show.
const shownErrors = 5

// managerErrors returns the last errors in the manager's log, without duplicates,
// as they may explain why a step failed. It returns nil if there are none.
func (l *logs) managerErrors() error {
	text, err := os.ReadFile(l.manager.Name())
	if err != nil {
		return err
	}
	var found []string
	for line := range bytes.Lines(text) {
		var entry struct{ Level, Msg, Error string }
		if json.Unmarshal(line, &entry) != nil || entry.Level != "error" {
			continue
		}
		if message := entry.Msg + ": " + entry.Error; !slices.Contains(found, message) {
			found = append(found, message)
		}
	}
	if len(found) == 0 {
		return nil
	}
	found = found[max(0, len(found)-shownErrors):]
	return fmt.Errorf("the manager logged:\n%s", strings.Join(found, "\n"))
}

func (l *logs) remove() error {
	_, _ = l.controlPlane.Close(), l.manager.Close()
	return os.RemoveAll(l.folder)
}
