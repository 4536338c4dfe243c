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

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
)

// errInterrupted means that run was interrupted before the walk was done.
var errInterrupted = errors.New("interrupted")

// run starts the control plane and the manager and walks through the steps. It
// then stays up until ctx is done, unless opts.exit is set.
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
	ended := context.AfterFunc(ctx, func() { out.printf("\nStopping; this takes a few seconds.\n") })
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

// inCluster runs the manager and the walk in a running control plane.
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
	// The manager stops before the control plane does. If the manager stops by
	// itself, the rest stops too.
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

// stays is printed before the live table.
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
