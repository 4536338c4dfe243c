package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
)

const (
	// fanOut is how many consumers one config has.
	fanOut = 1000
	// editsPerRound is how often it is edited in a round.
	editsPerRound = 3
)

// fanOutBench is P8: one edit of a config changes the verdict on all of its
// consumers, against a plain client that sends the very same status patches.
func fanOutBench(ctx context.Context, o options) (err error) {
	fleet, err := startFleet(ctx, 1, fanOut)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.plane.Stop()) }()
	// As created, the baseline is not supported.
	before, _, err := fleet.edited(ctx, nil)
	if err != nil {
		return err
	}
	var ratios, writes []float64
	for i := range editsPerRound * o.rounds {
		baseline := []string{"openid"}
		if i%2 == 1 {
			baseline = append(baseline, "admin")
		}
		after, took, err := fleet.edited(ctx, baseline)
		if err != nil {
			return err
		}
		if _, err := fleet.replay(ctx, before); err != nil {
			return err
		}
		plain, err := fleet.replay(ctx, after)
		if err != nil {
			return err
		}
		progress("edit %d: %d statuses, the manager %.2f s, the plain client %.2f s", i+1, len(after), took.Seconds(), plain.Seconds())
		ratios = append(ratios, took.Seconds()/plain.Seconds())
		writes = append(writes, float64(len(after))/float64(fleet.objects()))
		before = after
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	for _, row := range [][3]string{
		{fmt.Sprintf("P8: one edit of a config with %d consumers", fanOut), "measured", "target"},
		{"---", "---", "---"},
		{"time to the last condition / the same patches by a plain client", spread(ratios), "<= 1.2"},
		{"writes / objects whose status changes", spread(writes), "1.0"},
	} {
		_, _ = fmt.Fprintf(table, "| %s\t| %s\t| %s\t|\n", row[0], row[1], row[2])
	}
	return table.Flush()
}

// edited runs a manager, gives the config a baseline, if there is one, and
// returns the status patches that follow, and how long after the edit the last
// was answered. Every status must change by it.
func (f *fleet) edited(ctx context.Context, baseline []string) ([]statusPatch, time.Duration, error) {
	manager, err := f.manage(ctx)
	if err != nil {
		return nil, 0, err
	}
	begin, want := manager.begin, f.objects()
	if baseline != nil {
		err = manager.settle(0)
		begin = time.Now()
		err = errors.Join(err, f.setBaseline(ctx, baseline))
	}
	err = errors.Join(err, manager.settle(want))
	_, _, last := manager.wire.count()
	if err := errors.Join(err, manager.stop()); err != nil {
		return nil, 0, err
	}
	patches, err := manager.written()
	return patches, last.Sub(begin), err
}

func (f *fleet) setBaseline(ctx context.Context, baseline []string) error {
	config := &v1beta1.MCPExternalAuthConfig{}
	if err := f.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "config-0"}, config); err != nil {
		return err
	}
	config.Spec.EmbeddedAuthServer.BaselineClientScopes = baseline
	return f.admin.Update(ctx, config)
}
