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
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
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
	RunMain(m, func(ctx context.Context, atEnd func(func() error)) error {
		return startRecorded(ctx, cluster, options, atEnd)
	})
}

// MainWithManager is Main with one manager for all tests.
func MainWithManager(m *testing.M, cluster **Cluster, options controlplane.Options) {
	RunMain(m, func(ctx context.Context, atEnd func(func() error)) error {
		if err := startRecorded(ctx, cluster, options, atEnd); err != nil {
			return err
		}
		manager, err := (*cluster).RunWith(ctx, nil, standalone)
		if err == nil {
			atEnd(manager.Stop)
		}
		return err
	})
}

// StartForTest starts a control plane for a test.
func StartForTest(t testing.TB, options controlplane.Options) *Cluster {
	t.Helper()
	cluster, err := Start(t.Context(), options)
	expect.NoError(t, err)
	t.Cleanup(func() {
		if err := errors.Join(cluster.CheckRollouts(), cluster.Stop()); err != nil {
			t.Error(err)
		}
	})
	return cluster
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

// startRecorded is Start for a whole package.
func startRecorded(ctx context.Context, cluster **Cluster, options controlplane.Options, atEnd func(func() error)) (err error) {
	if *cluster, err = Start(ctx, options); err != nil {
		return err
	}
	atEnd((*cluster).Stop)
	atEnd((*cluster).CheckRollouts)
	return nil
}

// CheckRollouts ends the recorder and returns what it found as an error.
func (c *Cluster) CheckRollouts() error {
	if violations := c.Rollouts.Stop(); len(violations) > 0 {
		return fmt.Errorf("run configs were rolled out that the auth server refuses:\n%s", strings.Join(violations, "\n"))
	}
	return nil
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
	c.Create(t, namespace)
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

// standalone are the options of a manager in standalone mode.
var standalone = operator.Options{Standalone: true, AuthServerImage: AuthServerImage}

// RunWith starts a manager with scopegate's own RBAC. It runs until Stop. wrap, if not
// nil, can wrap its configuration to observe requests.
func (c *Cluster) RunWith(ctx context.Context, wrap func(*rest.Config), options operator.Options) (*Manager, error) {
	cfg := c.ManagerConfig()
	if wrap != nil {
		wrap(cfg)
	}
	options.MetricsBindAddress, options.HealthProbeBindAddress, options.SharedProcess = "0", "0", true
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

// StartStandalone starts a manager in standalone mode, which stops at the end of the
// test.
func (c *Cluster) StartStandalone(t testing.TB, wrap func(*rest.Config)) *Manager {
	t.Helper()
	manager, err := c.RunWith(t.Context(), wrap, standalone)
	return stopAtEnd(t, manager, err)
}

// StartGuard does the same in guard mode. The control plane must have been started with
// Options.Guard.
func (c *Cluster) StartGuard(t testing.TB) *Manager {
	t.Helper()
	manager, err := c.RunWith(t.Context(), nil, operator.Options{OwnNamespace: controlplane.Namespace})
	return stopAtEnd(t, manager, err)
}

func stopAtEnd(t testing.TB, manager *Manager, err error) *Manager {
	t.Helper()
	expect.NoError(t, err)
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

// RunMain runs a package's tests after setUp, and then the functions that setUp
// passed to atEnd, the last one first. It does not return.
func RunMain(m *testing.M, setUp func(ctx context.Context, atEnd func(func() error)) error) {
	flag.Parse()
	os.Exit(runAfter(m, setUp))
}

func runAfter(m *testing.M, setUp func(ctx context.Context, atEnd func(func() error)) error) (code int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := func(err error) bool {
		if err != nil {
			fmt.Fprintln(os.Stderr, "FAIL:", err)
			code = 1
		}
		return err != nil
	}
	var ends []func() error
	defer func() {
		for _, end := range slices.Backward(ends) {
			failed(end())
		}
	}()
	if failed(setUp(ctx, func(end func() error) { ends = append(ends, end) })) {
		return code
	}
	return m.Run()
}
