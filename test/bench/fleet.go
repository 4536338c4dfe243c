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
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const (
	namespace = "bench"
	// clients is the number of concurrent requests of the plain client. The two
	// busy controllers of the manager can make as many.
	clients = 2 * operator.DefaultConcurrency
	// oneBadIn is the number of baselines of which one is not supported.
	oneBadIn = 100
)

// fleet is a control plane with many objects.
type fleet struct {
	plane              *controlplane.ControlPlane
	admin              client.Client
	configs, consumers int
}

// startPlane starts a control plane with a namespace in which the guard is off. It
// also returns an administrator's client without a rate limit. The caller stops the
// control plane.
func startPlane(ctx context.Context, options controlplane.Options) (*controlplane.ControlPlane, client.Client) {
	plane := must(controlplane.Start(ctx, options))
	cfg := rest.CopyConfig(plane.Config)
	cfg.QPS = -1
	admin, err := client.New(cfg, client.Options{Scheme: operator.Scheme})
	if err == nil {
		labels := map[string]string{guard.ModeLabel: guard.ModeOff}
		err = admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labels}})
	}
	if err != nil {
		check(errors.Join(err, plane.Stop()))
	}
	return plane, admin
}

func (f *fleet) objects() int { return f.configs + f.consumers }

// fill creates the objects. There is no MCPOIDCConfig, so nothing rolls out,
// and every write is of a status.
func (f *fleet) fill(ctx context.Context) {
	progress("creating %d configs and %d consumers", f.configs, f.consumers)
	inParallel(ctx, f.configs, func(ctx context.Context, i int) error {
		baseline := []string{"openid", "offline_access"}
		if i%oneBadIn == 0 {
			baseline = append(baseline, "admin")
		}
		return f.admin.Create(ctx, sample.Config(namespace, fmt.Sprintf("config-%d", i), baseline...))
	})
	inParallel(ctx, f.consumers, func(ctx context.Context, i int) error {
		config := fmt.Sprintf("config-%d", i%f.configs)
		return f.admin.Create(ctx, sample.Server(namespace, fmt.Sprintf("server-%d", i), sample.AuthServerRef(config)))
	})
}

// inParallel does something count times, with as many requests at a time as a manager.
func inParallel(ctx context.Context, count int, do func(ctx context.Context, i int) error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(clients)
	for i := range count {
		group.Go(func() error { return do(ctx, i) })
	}
	check(group.Wait())
}

// replay sends patches as a plain client does.
func (f *fleet) replay(ctx context.Context, patches []statusPatch) time.Duration {
	cfg := f.plane.ManagerConfig()
	cfg.QPS = -1
	gvk := must(apiutil.GVKForObject(&v1beta1.MCPServer{}, operator.Scheme))
	plain := must(apiutil.RESTClientForGVK(gvk, false, false, cfg, serializer.NewCodecFactory(operator.Scheme), must(rest.HTTPClientFor(cfg))))
	begin := time.Now()
	inParallel(ctx, len(patches), func(ctx context.Context, i int) error {
		return plain.Patch(types.MergePatchType).AbsPath(patches[i].path).Body(patches[i].body).Do(ctx).Error()
	})
	return time.Since(begin)
}

// watch lists the objects, and then watches them until stop is called, as every controller
// must. It does nothing with what it sees.
func (f *fleet) watch(ctx context.Context) (stop func() error) {
	cfg := f.plane.ManagerConfig()
	cfg.QPS = -1
	watched := must(cache.New(cfg, cache.Options{Scheme: operator.Scheme, DefaultTransform: cache.TransformStripManagedFields()}))
	for _, object := range []client.Object{&v1beta1.MCPExternalAuthConfig{}, &v1beta1.MCPServer{}} {
		must(watched.GetInformer(ctx, object, cache.BlockUntilSynced(false)))
	}
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- watched.Start(running) }()
	stop = func() error {
		cancel()
		return <-done
	}
	if !watched.WaitForCacheSync(running) {
		check(errors.Join(errors.New("the cache does not sync"), stop()))
	}
	return stop
}

func (f *fleet) reset(ctx context.Context, patches []statusPatch) {
	progress("resetting %d statuses", len(patches))
	undo := make([]statusPatch, len(patches))
	for i, patch := range patches {
		undo[i] = statusPatch{path: patch.path, body: []byte(`{"status":{"conditions":null,"observedGeneration":-1}}`)}
	}
	f.replay(ctx, undo)
}

const quiet = 3 * time.Second

type managed struct {
	*testenv.Manager
	wire  *wire
	begin time.Time
}

// manage runs a manager, and waits until its caches are synced.
func (f *fleet) manage(ctx context.Context) *managed {
	m := &managed{wire: &wire{changed: make(chan struct{}, 1)}}
	m.Manager = must((&testenv.Cluster{ControlPlane: f.plane}).RunWith(ctx, m.wire.around, operator.Options{Standalone: true, AuthServerImage: testenv.AuthServerImage}))
	m.begin = time.Now()
	select {
	case <-m.Ready():
	case err := <-m.Done():
		check(fmt.Errorf("the manager ended: %w", err))
	}
	return m
}

// settle waits until the manager has written at least want statuses, and then
// nothing for a while.
func (m *managed) settle(ctx context.Context, want int) {
	for {
		select {
		case <-m.wire.changed:
		case <-time.After(quiet):
			if patches, _, _ := m.wire.count(); patches >= want {
				return
			}
		case err := <-m.Done():
			check(fmt.Errorf("the manager ended: %w", err))
		case <-ctx.Done():
			check(errors.Join(ctx.Err(), m.Stop()))
		}
	}
}

// written returns the status patches of a stopped manager, so that others can
// send them again.
func (m *managed) written() []statusPatch {
	patches := make([]statusPatch, len(m.wire.patches))
	for i, patch := range m.wire.patches {
		patches[i] = patch.replayable()
	}
	return patches
}

// statusPatch is a write of a status, as the manager sent it.
type statusPatch struct {
	path string
	body []byte
}

// replayable returns the patch without the resourceVersion.
func (p statusPatch) replayable() statusPatch {
	body := map[string]json.RawMessage{}
	check(json.Unmarshal(p.body, &body))
	delete(body, "metadata")
	return statusPatch{path: p.path, body: must(json.Marshal(body))}
}

// wire counts the writes that go through it, and keeps the status patches that
// succeeded.
type wire struct {
	next http.RoundTripper

	mu      sync.Mutex
	patches []statusPatch
	others  int
	last    time.Time
	changed chan struct{}
}

// around makes the client of a manager send its requests through the wire.
func (w *wire) around(cfg *rest.Config) {
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.next = next
		return w
	})
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

// count returns the numbers of status patches and of other writes, and the time
// of the response to the last patch.
func (w *wire) count() (patches, others int, last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.patches), w.others, w.last
}
