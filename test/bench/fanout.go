package main

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
)

// fanOuts are the numbers of consumers of one config, each with the number of
// edits in a round.
var fanOuts = []struct{ consumers, edits int }{{10, 3}, {100, 3}, {1000, 3}, {10000, 1}}

// fanOutBench is P8. One edit of a config changes the verdict on all of its
// consumers. The manager is compared with a plain client that lists and watches the
// same objects and sends the same status patches.
func fanOutBench(ctx context.Context) {
	result := newTable("P8: one edit of a config, by its consumers", "until the last condition", "the same patches by a plain client", "ratio", "target", "writes / objects whose status changes")
	for _, size := range fanOuts {
		ours, plain, writes := timeEdits(ctx, size.consumers, size.edits*rounds)
		target := ""
		if size.consumers == 1000 {
			target = "<= 1.10"
		}
		result.row(fmt.Sprint(size.consumers), fmt.Sprintf("%.3f s", median(ours)), fmt.Sprintf("%.3f s", median(plain)), spread(ratios(ours, plain)), target,
			fmt.Sprintf("%.2f", float64(writes)/float64(len(ours)*(1+size.consumers))))
	}
	result.print()
}

// timeEdits edits a config count times, and returns how long the manager and the plain
// client took for each edit, in seconds, and how many statuses changed.
func timeEdits(ctx context.Context, consumers, count int) (ours, plain []float64, writes int) {
	plane, admin := startPlane(ctx, controlplane.Options{})
	defer stop(plane.Stop)
	f := &fleet{plane: plane, admin: admin, configs: 1, consumers: consumers}
	f.fill(ctx)
	// As created, the baseline is not supported.
	before, _ := f.edited(ctx, nil)
	for i := range count {
		baseline := []string{"openid"}
		if i%2 == 1 {
			baseline = append(baseline, "admin")
		}
		after, took := f.edited(ctx, baseline)
		f.replay(ctx, before)
		unwatch := f.watch(ctx)
		replayed := f.replay(ctx, after)
		check(unwatch())
		progress("an edit: %d statuses, the manager %.2f s, the plain client %.2f s", len(after), took.Seconds(), replayed.Seconds())
		ours, plain, writes = append(ours, took.Seconds()), append(plain, replayed.Seconds()), writes+len(after)
		before = after
	}
	return ours, plain, writes
}

// edited runs a manager, and sets the baseline of the config unless it is nil.
// It returns the status patches that follow, and the time from the edit to the
// response to the last one. Every status must change.
func (f *fleet) edited(ctx context.Context, baseline []string) ([]statusPatch, time.Duration) {
	manager := f.manage(ctx)
	begin, want := manager.begin, f.objects()
	if baseline != nil {
		manager.settle(ctx, 0)
		begin = time.Now()
		config := &v1beta1.MCPExternalAuthConfig{}
		check(f.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "config-0"}, config))
		config.Spec.EmbeddedAuthServer.BaselineClientScopes = baseline
		check(f.admin.Update(ctx, config))
	}
	manager.settle(ctx, want)
	_, _, last := manager.wire.count()
	check(manager.Stop())
	return manager.written(), last.Sub(begin)
}
