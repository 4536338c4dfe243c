package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// coldStart is target P7. It starts a manager on many objects that were never
// evaluated, and compares it with a plain client that sends the same status
// patches.
type coldStart struct {
	*fleet

	// patches are the status patches of the manager's last start. again is the
	// result of a start on objects that were all evaluated.
	patches []statusPatch
	again   *result
}

func coldStartBench(ctx context.Context, o options) {
	fleet := startFleet(ctx, o.configs, o.consumers)
	defer stop(fleet.plane.Stop)
	(&coldStart{fleet: fleet}).measure(ctx, o.rounds)
}

type result struct {
	patches  []statusPatch
	others   int
	duration time.Duration
	heap     int64
}

// start runs a manager until it has looked at every object, and has written at
// least want statuses.
func (b *coldStart) start(ctx context.Context, want int) result {
	before := heap()
	manager := b.manage(ctx)
	manager.settle(want)
	_, others, last := manager.wire.count()
	measured := result{others: others, duration: last.Sub(manager.begin), heap: heap() - before}
	check(manager.stop())
	measured.patches = manager.written()
	return measured
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// sides returns what is compared. Each side writes every status once.
func (b *coldStart) sides() []side {
	return []side{
		{"the manager", func(ctx context.Context) time.Duration {
			managed := b.start(ctx, b.objects())
			b.patches = managed.patches
			return managed.duration
		}},
		{"the plain client", func(ctx context.Context) time.Duration { return b.replay(ctx, b.patches) }},
		{"the plain client that also watches", func(ctx context.Context) time.Duration { return b.watchAndReplay(ctx, b.patches) }},
	}
}

type side struct {
	name  string
	write func(context.Context) time.Duration
}

// round returns how many statuses each side wrote per second. Each round begins
// with another side, because an API server gets slower the more it has done.
func (b *coldStart) round(ctx context.Context, number int) []float64 {
	sides := b.sides()
	speeds := make([]float64, len(sides))
	for i := range sides {
		i := (number + i) % len(sides)
		took := sides[i].write(ctx)
		speeds[i] = float64(len(b.patches)) / took.Seconds()
		progress("round %d: %s: %d statuses, %.0f/s", number+1, sides[i].name, len(b.patches), speeds[i])
		if b.again == nil {
			progress("a second pass over the same objects")
			again := b.start(ctx, 0)
			b.again = &again
		}
		b.reset(ctx, b.patches)
	}
	return speeds
}

func (b *coldStart) measure(ctx context.Context, rounds int) {
	var ratios, watchRatios, perSecond []float64
	for number := range rounds {
		speeds := b.round(ctx, number)
		ratios = append(ratios, speeds[0]/speeds[1])
		watchRatios = append(watchRatios, speeds[0]/speeds[2])
		perSecond = append(perSecond, speeds[0])
	}
	result := newTable(fmt.Sprintf("P7: cold start over %d configs and %d consumers", b.configs, b.consumers), "measured", "target")
	result.row("statuses a second / the same patches by a plain client that lists and watches the objects", spread(watchRatios), ">= 0.95")
	result.row("the same, by one that watches nothing", spread(ratios), "")
	result.row("statuses a second", fmt.Sprintf("%.0f (median)", median(perSecond)), "")
	result.row("writes of a second pass", fmt.Sprint(len(b.again.patches)+b.again.others), "0")
	result.row("heap per object after a second pass", fmt.Sprintf("%.2f KiB", float64(b.again.heap)/float64(b.objects())/1024), "<= 3 KiB")
	result.print()
}
