package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/operator"
)

// errInterrupted is what run returns when it was interrupted before the walk
// was done.
var errInterrupted = errors.New("interrupted")

// run starts the control plane and the manager, walks, and stays up until ctx
// is done, unless opts say to exit.
func run(ctx context.Context, out console, opts options) (err error) {
	if err := checkFree(opts.metricsAddr); err != nil {
		return err
	}
	logs, err := openLogs()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.remove()) }()

	out.printf("Starting kube-apiserver, etcd and kube-controller-manager ...\n")
	ended := context.AfterFunc(ctx, func() { out.printf("\nEnding; this takes a few seconds.\n") })
	defer ended()
	plane, err := controlplane.Start(ctx, controlplane.Options{
		ControllerManager: true, Output: logs.controlPlane,
	})
	if err != nil {
		return interruptedOr(ctx, err)
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	return inCluster(ctx, out, opts, plane, logs)
}

// inCluster runs the manager in a control plane that is up, and the walk beside
// it.
func inCluster(ctx context.Context, out console, opts options, plane *controlplane.ControlPlane, logs *logs) error {
	admin, err := client.NewWithWatch(plane.Config, client.Options{Scheme: operator.Scheme})
	if err != nil {
		return interruptedOr(ctx, fmt.Errorf("reaching the control plane: %w", err))
	}
	mgr, err := operator.New(ctx, plane.ManagerConfig(), operator.Options{
		Standalone:         true,
		MetricsBindAddress: opts.metricsAddr, HealthProbeBindAddress: "0", AuthServerImage: "scopegate-authserver:latest",
	})
	if err != nil {
		return interruptedOr(ctx, err)
	}
	// The manager ends before the control plane does, and a manager that ends by
	// itself ends the rest.
	running, stop := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() {
		err := mgr.Start(running)
		if err != nil {
			err = fmt.Errorf("running the manager: %w", err)
		}
		stop(err)
		done <- err
	}()
	err = (&walk{kubectl: plane.Kubectl, client: admin, out: out}).run(running, steps(opts.samples))
	switch {
	case err != nil && ctx.Err() == nil:
		err = errors.Join(err, logs.managerErrors())
	case err != nil:
		err = errInterrupted
	case !opts.exit:
		out.printf(stays, quote(plane.Kubeconfig), quote(plane.KubectlPath), logs.folder)
		if err = watchTable(running, plane.Config, out); ctx.Err() != nil {
			err = nil
		}
	}
	stop(nil)
	if managerErr := <-done; !errors.Is(err, managerErr) {
		err = errors.Join(err, managerErr)
	}
	return err
}

// stays is said before the live table.
const stays = `
The control plane stays up. To use it from another terminal:

  export KUBECONFIG=%s
  alias kubectl=%s

Logs are in %s. Ctrl-C ends it all.

`

// interruptedOr returns err, unless that is what an interruption led to.
func interruptedOr(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// checkFree reports early that an address can't be listened on.
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

// logs are files for what would make the walk unreadable.
type logs struct {
	folder                string
	controlPlane, manager *os.File
}

func openLogs() (*logs, error) {
	folder, err := os.MkdirTemp("", "scopegate-logs-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for logs: %w; set TMPDIR to a folder that you can write to", err)
	}
	opened := &logs{folder: folder}
	for name, file := range map[string]**os.File{
		"kube-controller-manager.log": &opened.controlPlane,
		"manager.log":                 &opened.manager,
	} {
		if *file, err = os.Create(filepath.Join(folder, name)); err != nil { //nolint:gosec // The name is a constant.
			return nil, errors.Join(fmt.Errorf("making a log file: %w", err), os.RemoveAll(folder))
		}
	}
	logger := zap.New(zap.WriteTo(opened.manager))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	return opened, nil
}

// shownErrors is how many of the manager's errors are worth showing.
const shownErrors = 5

// managerErrors returns the last errors that the manager logged, each once: they
// may be why a step failed. It returns nil where there are none.
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
		if told := entry.Msg + ": " + entry.Error; !slices.Contains(found, told) {
			found = append(found, told)
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
