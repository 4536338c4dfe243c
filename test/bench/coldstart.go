package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
)

// coldStartBench is P7. It starts a manager on many objects that were never evaluated,
// and compares it with a plain client that lists and watches them, and sends the same
// status patches.
func coldStartBench(ctx context.Context) {
	plane, admin := startPlane(ctx, controlplane.Options{})
	defer stop(plane.Stop)
	f := &fleet{plane: plane, admin: admin, configs: 5000, consumers: 10000}
	f.fill(ctx)
	var ours, plain []float64
	var first, again result
	sides := []func(){
		func() {
			first = f.start(ctx, f.objects())
			ours = append(ours, float64(len(first.patches))/first.duration.Seconds())
			if again.duration == 0 {
				progress("a second pass over the same objects")
				again = f.start(ctx, 0)
			}
		},
		func() {
			begin := time.Now()
			unwatch := f.watch(ctx)
			f.replay(ctx, first.patches)
			plain = append(plain, float64(len(first.patches))/time.Since(begin).Seconds())
			check(unwatch())
		},
	}
	for round := range rounds {
		// Each begins with the other side, because an API server gets slower the more it
		// has done.
		for i := range sides {
			sides[(round+i)%len(sides)]()
			f.reset(ctx, first.patches)
		}
		progress("round %d: statuses a second: the manager %.0f, the plain client %.0f", round+1, ours[round], plain[round])
	}
	result := newTable(fmt.Sprintf("P7: cold start over %d configs and %d consumers", f.configs, f.consumers), "measured", "target")
	result.row("statuses a second / the same patches by a plain client that lists and watches the objects", spread(ratios(ours, plain)), ">= 0.95")
	result.row("statuses a second", fmt.Sprintf("%.0f (median)", median(ours)), "")
	result.row("writes of a second pass", fmt.Sprint(len(again.patches)+again.others), "0")
	result.row("heap per object after a second pass", fmt.Sprintf("%.2f KiB", float64(again.heap)/float64(f.objects())/1024), "<= 3 KiB")
	result.print()
}

// result is what a manager did between its start and its end.
type result struct {
	patches  []statusPatch
	others   int
	duration time.Duration
	heap     int64
}

// start runs a manager until it has looked at every object, and has written at
// least want statuses.
func (f *fleet) start(ctx context.Context, want int) result {
	before := heap()
	manager := f.manage(ctx)
	manager.settle(ctx, want)
	_, others, last := manager.wire.count()
	measured := result{others: others, duration: last.Sub(manager.begin), heap: heap() - before}
	check(manager.Stop())
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
