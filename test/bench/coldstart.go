package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testenv"
)

const (
	namespace = "bench"
	// clients is how many requests the plain client has under way, as many as the
	// manager's controllers that have work here.
	clients = 2 * operator.DefaultConcurrency
	// oneBadIn is how rare a baseline is that is not supported.
	oneBadIn = 100
	// quiet is how long no patch must follow for the manager to have ended.
	quiet = 3 * time.Second
)

// coldStart is target P7: a manager comes up over many objects that were never
// judged, against a plain client that sends the very same status patches.
type coldStart struct {
	plane              *controlplane.ControlPlane
	admin              client.Client
	configs, consumers int
}

func (b *coldStart) objects() int { return b.configs + b.consumers }

// fill creates the objects. There is no MCPOIDCConfig, so that nothing rolls
// out and every write is one of a status.
func (b *coldStart) fill(ctx context.Context) error {
	progress("creating %d configs and %d consumers", b.configs, b.consumers)
	if err := b.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(clients)
	for i := range b.configs {
		group.Go(func() error {
			baseline := []string{"openid", "offline_access"}
			if i%oneBadIn == 0 {
				baseline = append(baseline, "admin")
			}
			return b.admin.Create(ctx, testenv.Config(namespace, fmt.Sprintf("config-%d", i), baseline...))
		})
	}
	for i := range b.consumers {
		group.Go(func() error {
			config := fmt.Sprintf("config-%d", i%b.configs)
			return b.admin.Create(ctx, testenv.Server(namespace, fmt.Sprintf("server-%d", i), testenv.AuthServerRef(config)))
		})
	}
	return group.Wait()
}

// result is what one start of the manager was like.
type result struct {
	patches  []statusPatch
	others   int
	duration time.Duration
	heap     int64
}

// start runs a manager until it has written at least want statuses and then
// nothing for a while, and has looked at every object.
func (b *coldStart) start(ctx context.Context, want int) (result, error) {
	cfg := b.plane.ManagerConfig()
	wire := newWire(cfg)
	before := heap()
	mgr, err := operator.New(ctx, cfg, operator.Options{
		MetricsBindAddress: "0", HealthProbeBindAddress: "0", AuthServerImage: testenv.AuthServerImage, Embedded: true,
	})
	if err != nil {
		return result{}, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- mgr.Start(running) }()
	if !mgr.GetCache().WaitForCacheSync(running) {
		return result{}, errors.New("the cache does not sync")
	}
	for ended := false; !ended; {
		select {
		case <-wire.changed:
		case <-time.After(quiet):
			patches, _, _ := wire.count()
			ended = patches >= want
		case err := <-done:
			return result{}, fmt.Errorf("the manager ended: %w", err)
		}
	}
	_, others, last := wire.count()
	measured := result{patches: wire.patches, others: others, duration: last.Sub(begin), heap: heap() - before}
	stop()
	return measured, <-done
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// replay sends patches as a plain client does.
func (b *coldStart) replay(ctx context.Context, patches []statusPatch) (time.Duration, error) {
	plain, err := b.plain()
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

func (b *coldStart) plain() (rest.Interface, error) {
	cfg := b.plane.ManagerConfig()
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

// reset takes every status back to what it was before the first judgement.
func (b *coldStart) reset(ctx context.Context, patches []statusPatch) error {
	progress("resetting %d statuses", len(patches))
	undo := make([]statusPatch, len(patches))
	for i, patch := range patches {
		undo[i] = statusPatch{path: patch.path, body: []byte(`{"status":{"conditions":null,"observedGeneration":-1}}`)}
	}
	_, err := b.replay(ctx, undo)
	return err
}

func (b *coldStart) measure(ctx context.Context, rounds int) error {
	var ratios, perSecond []float64
	var heapPerObject, second float64
	for round := range rounds {
		progress("round %d of %d: the manager", round+1, rounds)
		managed, err := b.start(ctx, b.objects())
		if err != nil {
			return err
		}
		if round == 0 {
			progress("a second pass over the same objects")
			again, err := b.start(ctx, 0)
			if err != nil {
				return err
			}
			second = float64(len(again.patches) + again.others)
			heapPerObject = float64(again.heap) / float64(b.objects())
			progress("%.0f writes, and %.2f KiB of heap per object", second, heapPerObject/1024)
		}
		if err := b.reset(ctx, managed.patches); err != nil {
			return err
		}
		progress("round %d of %d: the plain client", round+1, rounds)
		plain, err := b.replay(ctx, managed.patches)
		if err != nil {
			return err
		}
		if err := b.reset(ctx, managed.patches); err != nil {
			return err
		}
		rate := float64(len(managed.patches)) / managed.duration.Seconds()
		plainRate := float64(len(managed.patches)) / plain.Seconds()
		progress("%d statuses: the manager %.0f/s, with %d other writes; the plain client %.0f/s", len(managed.patches), rate, managed.others, plainRate)
		ratios, perSecond = append(ratios, rate/plainRate), append(perSecond, rate)
	}
	slices.Sort(ratios)
	slices.Sort(perSecond)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	for _, row := range [][3]string{
		{fmt.Sprintf("P7: cold start over %d configs and %d consumers", b.configs, b.consumers), "measured", "target"},
		{"---", "---", "---"},
		{"statuses a second / the same patches by a plain client", spread(ratios), ">= 0.90"},
		{"statuses a second", fmt.Sprintf("%.0f (median)", perSecond[len(perSecond)/2]), ""},
		{"writes of a second pass", fmt.Sprintf("%.0f", second), "0"},
		{"heap per object after a second pass", fmt.Sprintf("%.2f KiB", heapPerObject/1024), "<= 3 KiB"},
	} {
		if _, err := fmt.Fprintf(out, "| %s\t| %s\t| %s\t|\n", row[0], row[1], row[2]); err != nil {
			return err
		}
	}
	return out.Flush()
}

// spread shows the median of sorted figures and their ends.
func spread(sorted []float64) string {
	return fmt.Sprintf("%.2f (median of %d, %.2f to %.2f)", sorted[len(sorted)/2], len(sorted), sorted[0], sorted[len(sorted)-1])
}
