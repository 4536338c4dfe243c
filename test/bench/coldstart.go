package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

	// patches are those of the manager's last start, and again is its start over
	// objects that were all judged.
	patches []statusPatch
	again   *result
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
	measured := result{others: others, duration: last.Sub(begin), heap: heap() - before}
	stop()
	if err := <-done; err != nil {
		return result{}, err
	}
	for _, patch := range wire.patches {
		replayable, err := patch.replayable()
		if err != nil {
			return result{}, err
		}
		measured.patches = append(measured.patches, replayable)
	}
	return measured, nil
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// sides are what is compared: each writes every status once.
func (b *coldStart) sides() []side {
	return []side{
		{"the manager", func(ctx context.Context) (time.Duration, error) {
			managed, err := b.start(ctx, b.objects())
			b.patches = managed.patches
			return managed.duration, err
		}},
		{"the plain client", func(ctx context.Context) (time.Duration, error) { return b.replay(ctx, b.patches) }},
		{"the plain client that also watches", func(ctx context.Context) (time.Duration, error) { return b.watchAndReplay(ctx, b.patches) }},
	}
}

type side struct {
	name  string
	write func(context.Context) (time.Duration, error)
}

// round returns how many statuses each side wrote in a second. Each round begins
// with another side: an API server gets slower with what it has behind it.
func (b *coldStart) round(ctx context.Context, number int) (speeds []float64, err error) {
	sides := b.sides()
	speeds = make([]float64, len(sides))
	for i := range sides {
		i := (number + i) % len(sides)
		took, err := sides[i].write(ctx)
		if err != nil {
			return nil, err
		}
		speeds[i] = float64(len(b.patches)) / took.Seconds()
		progress("round %d: %s: %d statuses, %.0f/s", number+1, sides[i].name, len(b.patches), speeds[i])
		if b.again == nil {
			progress("a second pass over the same objects")
			again, err := b.start(ctx, 0)
			if err != nil {
				return nil, err
			}
			b.again = &again
		}
		if err := b.reset(ctx, b.patches); err != nil {
			return nil, err
		}
	}
	return speeds, nil
}

func (b *coldStart) measure(ctx context.Context, rounds int) error {
	var ratios, watchRatios, perSecond []float64
	for number := range rounds {
		speeds, err := b.round(ctx, number)
		if err != nil {
			return err
		}
		ratios = append(ratios, speeds[0]/speeds[1])
		watchRatios = append(watchRatios, speeds[0]/speeds[2])
		perSecond = append(perSecond, speeds[0])
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	for _, row := range [][3]string{
		{fmt.Sprintf("P7: cold start over %d configs and %d consumers", b.configs, b.consumers), "measured", "target"},
		{"---", "---", "---"},
		{"statuses a second / the same patches by a plain client", spread(ratios), ">= 0.90"},
		{"the same, by one that lists and watches the objects too", spread(watchRatios), ""},
		{"statuses a second", fmt.Sprintf("%.0f (median)", median(perSecond)), ""},
		{"writes of a second pass", fmt.Sprint(len(b.again.patches) + b.again.others), "0"},
		{"heap per object after a second pass", fmt.Sprintf("%.2f KiB", float64(b.again.heap)/float64(b.objects())/1024), "<= 3 KiB"},
	} {
		if _, err := fmt.Fprintf(out, "| %s\t| %s\t| %s\t|\n", row[0], row[1], row[2]); err != nil {
			return err
		}
	}
	return out.Flush()
}

// spread shows the median of figures and their ends.
func spread(values []float64) string {
	return fmt.Sprintf("%.2f (median of %d, %.2f to %.2f)", median(values), len(values), slices.Min(values), slices.Max(values))
}
