package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const (
	namespace = "bench"
	// clients is how many requests the plain client has under way, as many as the
	// manager's controllers that have work here.
	clients = 2 * operator.DefaultConcurrency
	// oneBadIn is how rare a baseline is that is not supported.
	oneBadIn = 100
)

type fleet struct {
	plane              *controlplane.ControlPlane
	admin              client.Client
	configs, consumers int
}

// startFleet starts a control plane and creates the objects. Its plane must be
// stopped.
func startFleet(ctx context.Context, configs, consumers int) (*fleet, error) {
	plane, admin, err := startPlane(ctx, controlplane.Options{})
	if err != nil {
		return nil, err
	}
	f := &fleet{plane: plane, admin: admin, configs: configs, consumers: consumers}
	if err := f.fill(ctx); err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	return f, nil
}

// startPlane starts a control plane with a namespace in which the guard is off, to be
// stopped, and returns an administrator's client of it, without a limit of its own.
func startPlane(ctx context.Context, options controlplane.Options) (*controlplane.ControlPlane, client.Client, error) {
	plane, err := controlplane.Start(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	cfg := rest.CopyConfig(plane.Config)
	cfg.QPS = -1
	admin, err := client.New(cfg, client.Options{Scheme: operator.Scheme})
	if err == nil {
		labels := map[string]string{guard.ModeLabel: guard.ModeOff}
		err = admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labels}})
	}
	if err != nil {
		return nil, nil, errors.Join(err, plane.Stop())
	}
	return plane, admin, nil
}

func (f *fleet) objects() int { return f.configs + f.consumers }

// fill creates the objects. There is no MCPOIDCConfig, so that nothing rolls
// out and every write is one of a status.
func (f *fleet) fill(ctx context.Context) error {
	progress("creating %d configs and %d consumers", f.configs, f.consumers)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(clients)
	for i := range f.configs {
		group.Go(func() error {
			baseline := []string{"openid", "offline_access"}
			if i%oneBadIn == 0 {
				baseline = append(baseline, "admin")
			}
			return f.admin.Create(ctx, testenv.Config(namespace, fmt.Sprintf("config-%d", i), baseline...))
		})
	}
	for i := range f.consumers {
		group.Go(func() error {
			config := fmt.Sprintf("config-%d", i%f.configs)
			return f.admin.Create(ctx, testenv.Server(namespace, fmt.Sprintf("server-%d", i), testenv.AuthServerRef(config)))
		})
	}
	return group.Wait()
}

// replay sends patches as a plain client does.
func (f *fleet) replay(ctx context.Context, patches []statusPatch) (time.Duration, error) {
	plain, err := f.plain()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range clients {
		group.Go(func() error {
			for i := next.Add(1) - 1; int(i) < len(patches); i = next.Add(1) - 1 {
				patch := patches[i]
				if err := plain.Patch(types.MergePatchType).AbsPath(patch.path).Body(patch.body).Do(ctx).Error(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	return time.Since(begin), err
}

// watchAndReplay is replay by a client that lists the objects first and then
// watches them, as every controller must. It does nothing with what it sees.
func (f *fleet) watchAndReplay(ctx context.Context, patches []statusPatch) (time.Duration, error) {
	begin := time.Now()
	stop, err := f.watch(ctx)
	if err != nil {
		return 0, err
	}
	_, err = f.replay(ctx, patches)
	took := time.Since(begin)
	return took, errors.Join(err, stop())
}

// watch lists the objects, and then watches them until stop is called.
func (f *fleet) watch(ctx context.Context) (stop func() error, err error) {
	cfg := f.plane.ManagerConfig()
	cfg.QPS = -1
	watched, err := cache.New(cfg, cache.Options{Scheme: operator.Scheme, DefaultTransform: cache.TransformStripManagedFields()})
	if err != nil {
		return nil, err
	}
	for _, object := range []client.Object{&v1beta1.MCPExternalAuthConfig{}, &v1beta1.MCPServer{}} {
		if _, err := watched.GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return nil, err
		}
	}
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- watched.Start(running) }()
	stop = func() error {
		cancel()
		return <-done
	}
	if !watched.WaitForCacheSync(running) {
		return nil, errors.Join(errors.New("the cache does not sync"), stop())
	}
	return stop, nil
}

func (f *fleet) plain() (rest.Interface, error) {
	cfg := f.plane.ManagerConfig()
	cfg.QPS = -1
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, err
	}
	gvk, err := apiutil.GVKForObject(&v1beta1.MCPServer{}, operator.Scheme)
	if err != nil {
		return nil, err
	}
	return apiutil.RESTClientForGVK(gvk, false, false, cfg, serializer.NewCodecFactory(operator.Scheme), client)
}

func (f *fleet) reset(ctx context.Context, patches []statusPatch) error {
	progress("resetting %d statuses", len(patches))
	undo := make([]statusPatch, len(patches))
	for i, patch := range patches {
		undo[i] = statusPatch{path: patch.path, body: []byte(`{"status":{"conditions":null,"observedGeneration":-1}}`)}
	}
	_, err := f.replay(ctx, undo)
	return err
}

const quiet = 3 * time.Second

type managed struct {
	wire   *wire
	begin  time.Time
	cancel context.CancelFunc
	done   chan error
}

func (f *fleet) manage(ctx context.Context) (*managed, error) {
	cfg := f.plane.ManagerConfig()
	wire := newWire(cfg)
	mgr, err := operator.New(ctx, cfg, operator.Options{
		Standalone:         true,
		MetricsBindAddress: "0", HealthProbeBindAddress: "0", AuthServerImage: testenv.AuthServerImage, Embedded: true,
	})
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	m := &managed{wire: wire, begin: time.Now(), cancel: cancel, done: make(chan error, 1)}
	go func() { m.done <- mgr.Start(running) }()
	if !mgr.GetCache().WaitForCacheSync(running) {
		return nil, errors.Join(errors.New("the cache does not sync"), m.stop())
	}
	return m, nil
}

// settle waits until the manager has written at least so many statuses and then
// nothing for a while.
func (m *managed) settle(want int) error {
	for {
		select {
		case <-m.wire.changed:
		case <-time.After(quiet):
			if patches, _, _ := m.wire.count(); patches >= want {
				return nil
			}
		case err := <-m.done:
			return fmt.Errorf("the manager ended: %w", err)
		}
	}
}

func (m *managed) stop() error {
	m.cancel()
	return <-m.done
}

// written returns the status patches of a manager that is stopped, for others to
// send again.
func (m *managed) written() ([]statusPatch, error) {
	patches := make([]statusPatch, len(m.wire.patches))
	for i, patch := range m.wire.patches {
		var err error
		if patches[i], err = patch.replayable(); err != nil {
			return nil, err
		}
	}
	return patches, nil
}

// statusPatch is a write of a status, as the manager sent it.
type statusPatch struct {
	path string
	body []byte
}

// replayable is the patch without the version that it is for.
func (p statusPatch) replayable() (statusPatch, error) {
	body := map[string]json.RawMessage{}
	if err := json.Unmarshal(p.body, &body); err != nil {
		return statusPatch{}, err
	}
	delete(body, "metadata")
	text, err := json.Marshal(body)
	return statusPatch{path: p.path, body: text}, err
}

// wire counts the writes that go through it and keeps the status patches that
// were taken.
type wire struct {
	next http.RoundTripper

	mu      sync.Mutex
	patches []statusPatch
	others  int
	last    time.Time
	changed chan struct{}
}

func newWire(cfg *rest.Config) *wire {
	w := &wire{changed: make(chan struct{}, 1)}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.next = next
		return w
	})
	return w
}

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet {
		return w.next.RoundTrip(request)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	response, err := w.next.RoundTrip(request)

	w.mu.Lock()
	defer w.mu.Unlock()
	taken := err == nil && response.StatusCode == http.StatusOK
	if taken && request.Method == http.MethodPatch && strings.HasSuffix(request.URL.Path, "/status") {
		w.patches = append(w.patches, statusPatch{path: request.URL.Path, body: body})
		w.last = time.Now()
		select {
		case w.changed <- struct{}{}:
		default:
		}
	} else {
		w.others++
	}
	return response, err
}

// count returns how many status patches and other writes there were, and when
// the last patch was answered.
func (w *wire) count() (patches, others int, last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.patches), w.others, w.last
}
