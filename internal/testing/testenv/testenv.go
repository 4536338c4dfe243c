// Package testenv is shared by the suites against a real API server. It provides
// a control plane for a package, a namespace for each test, managers with
// scopegate's own RBAC, and waiting by watch.
package testenv

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/operator"
)

// AuthServerImage is the image of the Deployments in tests.
const AuthServerImage = "authserver:test"

// Cluster is the control plane of a package's tests.
type Cluster struct {
	*controlplane.ControlPlane
	// Client connects as an administrator.
	Client client.WithWatch
	// Rollouts records every revision since the start.
	Rollouts *Recorder
}

// Main runs a package's tests with a control plane, which it assigns to *cluster.
// It fails them if a revision with an invalid run config was ever rolled out. It
// does not return.
func Main(m *testing.M, cluster **Cluster, options controlplane.Options) {
	flag.Parse()
	os.Exit(run(m, cluster, options, false))
}

// MainWithManager is Main with one manager for all tests.
func MainWithManager(m *testing.M, cluster **Cluster, options controlplane.Options) {
	flag.Parse()
	os.Exit(run(m, cluster, options, true))
}

func run(m *testing.M, cluster **Cluster, options controlplane.Options, withManager bool) (code int) {
	ctx := context.Background()
	started, err := Start(ctx, options)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		return 1
	}
	defer func() {
		if err := started.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "testenv: stopping the control plane:", err)
			code = 1
		}
	}()
	*cluster = started
	if withManager {
		manager, err := started.RunManager(ctx, nil)
		if err != nil {
			fmt.Fprintln(os.Stderr, "testenv:", err)
			return 1
		}
		defer func() {
			if err := manager.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, "testenv:", err)
				code = 1
			}
		}()
	}
	code = m.Run()
	if violations := started.Rollouts.Stop(); len(violations) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: run configs were rolled out that the auth server refuses:\n%s\n", strings.Join(violations, "\n"))
		return 1
	}
	return code
}

// Start starts a control plane and a recorder of its rollouts.
func Start(ctx context.Context, options controlplane.Options) (*Cluster, error) {
	ctrl.SetLogger(zap.New(zap.UseDevMode(true), zap.WriteTo(logOutput())))
	plane, err := controlplane.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	admin, err := client.NewWithWatch(plane.Config, client.Options{Scheme: operator.Scheme})
	if err != nil {
		return nil, fmt.Errorf("reaching the control plane: %w", err)
	}
	recorder, err := Record(ctx, plane.Config)
	if err != nil {
		return nil, err
	}
	return &Cluster{ControlPlane: plane, Client: admin, Rollouts: recorder}, nil
}

// Stop stops the recorder and the control plane.
func (c *Cluster) Stop() error {
	c.Rollouts.Stop()
	return c.ControlPlane.Stop()
}

// logOutput returns the output for the managers' logs, which only verbose runs
// show.
func logOutput() *os.File {
	if flag.Parsed() && testing.Verbose() {
		return os.Stderr
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return os.Stderr
	}
	return null
}

// Namespace creates a namespace for a test. Nothing deletes it, because nothing
// would empty it.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := c.Client.Create(t.Context(), namespace); err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	return namespace.Name
}

// Manager is a running manager.
type Manager struct {
	stop    context.CancelFunc
	elected <-chan struct{}
	done    chan error
}

// Ready returns a channel that is closed when the manager's caches are synced and
// it reconciles.
func (m *Manager) Ready() <-chan struct{} { return m.elected }

// Done returns a channel that receives the manager's error and is then closed.
func (m *Manager) Done() <-chan error { return m.done }

// RunManager starts a manager with scopegate's own RBAC. It runs until Stop.
// wrap, if not nil, can wrap its configuration to observe requests.
func (c *Cluster) RunManager(ctx context.Context, wrap func(*rest.Config)) (*Manager, error) {
	return c.RunWith(ctx, wrap, operator.Options{Standalone: true, AuthServerImage: AuthServerImage})
}

// RunWith is RunManager with options.
func (c *Cluster) RunWith(ctx context.Context, wrap func(*rest.Config), options operator.Options) (*Manager, error) {
	cfg := c.ManagerConfig()
	if wrap != nil {
		wrap(cfg)
	}
	return start(ctx, cfg, options)
}

// RunGuard is RunManager in guard mode. The control plane must have been started
// with Options.Guard.
func (c *Cluster) RunGuard(ctx context.Context, wrap func(*rest.Config)) (*Manager, error) {
	return c.RunWith(ctx, wrap, operator.Options{OwnNamespace: controlplane.Namespace})
}

func start(ctx context.Context, cfg *rest.Config, options operator.Options) (*Manager, error) {
	options.MetricsBindAddress, options.HealthProbeBindAddress, options.Embedded = "0", "0", true
	mgr, err := operator.New(ctx, cfg, options)
	if err != nil {
		return nil, fmt.Errorf("creating a manager: %w", err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	manager := &Manager{stop: stop, elected: mgr.Elected(), done: make(chan error, 1)}
	go func() {
		manager.done <- mgr.Start(ctx)
		close(manager.done)
	}()
	return manager, nil
}

// StartManager is RunManager, and stops the manager at the end of the test.
func (c *Cluster) StartManager(t testing.TB, wrap func(*rest.Config)) *Manager {
	t.Helper()
	manager, err := c.RunManager(t.Context(), wrap)
	return stopAtEnd(t, manager, err)
}

// StartGuard is RunGuard, and stops the manager at the end of the test.
func (c *Cluster) StartGuard(t testing.TB) *Manager {
	t.Helper()
	manager, err := c.RunGuard(t.Context(), nil)
	return stopAtEnd(t, manager, err)
}

func stopAtEnd(t testing.TB, manager *Manager, err error) *Manager {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := manager.Stop(); err != nil {
			t.Error(err)
		}
	})
	return manager
}

// Stop stops a manager and waits for it. A second call does nothing.
func (m *Manager) Stop() error {
	timeout := time.After(time.Minute)
	select {
	// A manager that is stopped before its caches are synced spins and never
	// exits (controller-runtime v0.25.2, runnableGroup.Start).
	case <-m.elected:
	case <-m.done:
	case <-timeout:
	}
	m.stop()
	select {
	case err := <-m.done:
		return err
	case <-timeout:
		return errors.New("the manager does not exit")
	}
}
