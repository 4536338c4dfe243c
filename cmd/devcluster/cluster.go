package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/test/e2e/chart"
)

// part is what is shown on one control plane.
type part struct {
	name    string
	plane   controlplane.Options
	manager operator.Options
	// before are the steps until the manager starts, and steps the others.
	before, steps []step
}

func newPart(standalone bool) (part, error) {
	manager := operator.Options{MetricsBindAddress: "0", HealthProbeBindAddress: "0", SharedProcess: true}
	if standalone {
		manager.Standalone, manager.AuthServerImage = true, "scopegate-authserver:latest"
		return part{name: "standalone mode, without ToolHive", manager: manager, steps: standaloneSteps()}, nil
	}
	folder, err := chart.CRDs(".")
	if err != nil {
		return part{}, err
	}
	read := &envtest.CRDInstallOptions{Paths: []string{folder}}
	err = envtest.ReadCRDFiles(read)
	return part{
		name: "the guard, beside ToolHive", plane: controlplane.Options{Bare: true, Guard: true, CRDs: read.CRDs}, manager: manager,
		before: guardInstall(), steps: guardSteps(),
	}, err
}

// run shows parts. With the last one it stays up until ctx is done, if stay is true.
func run(ctx context.Context, parts []bool, stay bool) (err error) {
	// It has what would clutter the walk.
	log, err := os.CreateTemp("", "scopegate-*.log")
	if err != nil {
		return fmt.Errorf("creating a log: %w; set TMPDIR to a writable folder", err)
	}
	defer func() {
		_ = log.Close()
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w; what the manager logged is in %s", err, log.Name())
			return
		}
		err = errors.Join(err, os.Remove(log.Name()))
	}()
	logger := zap.New(zap.WriteTo(log))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	ended := context.AfterFunc(ctx, func() { fmt.Print("\nStopping; this takes a few seconds.\n") })
	defer ended()
	for i, standalone := range parts {
		part, err := newPart(standalone)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Println()
		}
		fmt.Printf("%s\nStarting kube-apiserver, etcd and kube-controller-manager ...\n", strings.ToUpper(part.name))
		if err := part.run(ctx, log, stay && i == len(parts)-1); err != nil {
			return err
		}
	}
	return nil
}

// run shows the part on a control plane of its own.
func (p part) run(ctx context.Context, log *os.File, stay bool) (err error) {
	p.plane.Controllers, p.plane.Output = controlplane.Workloads, log
	plane, err := controlplane.Start(ctx, p.plane)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	admin, err := client.New(plane.Config, client.Options{Scheme: operator.Scheme})
	if err != nil {
		return fmt.Errorf("reaching the control plane: %w", err)
	}
	walk := &walk{plane: plane, client: admin}
	if err := walk.run(ctx, p.before); err != nil {
		return err
	}
	mgr, err := operator.New(ctx, plane.ManagerConfig(), p.manager)
	if err != nil {
		return err
	}
	// The manager stops before the control plane does. If the manager stops by
	// itself, the rest stops too.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := mgr.Start(running); err != nil {
			return fmt.Errorf("running the manager: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		defer stop()
		if err := walk.run(running, p.steps); err != nil {
			return err
		}
		fmt.Printf("\nAll %d steps succeeded.\n", walk.done)
		if !stay {
			return nil
		}
		fmt.Printf(stays, plane.Kubeconfig, plane.KubectlPath, log.Name())
		return watchTree(running, plane)
	})
	return group.Wait()
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

The log is %s. Ctrl-C stops everything.

`
