package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// quiet is how long no patch must follow for the manager to have ended.
const quiet = 3 * time.Second

// managed is a manager that runs over a fleet.
type managed struct {
	wire   *wire
	begin  time.Time
	cancel context.CancelFunc
	done   chan error
}

// manage starts a manager, which must be stopped.
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
