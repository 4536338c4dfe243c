// Package writes_test counts and reads what scopegate sends: the contract of a
// status patch on the wire, the writes of a steady state and of one edit, the
// metrics, and the recorder that guards every other suite.
package writes_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

// TestMain does not fail on what the recorder found: a test here makes it find
// something.
func TestMain(m *testing.M) {
	started, err := testenv.Start(context.Background(), controlplane.Options{ControllerManager: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cluster = started
	code := m.Run()
	if err := started.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
