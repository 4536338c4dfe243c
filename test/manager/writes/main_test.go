// Package writes_test counts and reads what scopegate sends: the contract of a
// status patch on the wire, the writes of a steady state and of one edit, the
// metrics, and the recorder that guards every other suite.
package writes_test

import (
	"context"
	"testing"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

// TestMain does not fail on what the recorder found: a test here makes it find
// something.
func TestMain(m *testing.M) {
	testenv.MainAfter(m, func(ctx context.Context, atEnd func(func() error)) (err error) {
		if cluster, err = testenv.Start(ctx, controlplane.Options{ControllerManager: true}); err == nil {
			atEnd(cluster.Stop)
		}
		return err
	})
}
