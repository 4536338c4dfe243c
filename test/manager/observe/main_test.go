// Package observe_test looks at the built manager as those do who run it: its
// log, its events by kubectl, `kubectl wait` on its conditions, and its metrics
// over HTTPS.
package observe_test

import (
	"testing"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) { testenv.Main(m, &cluster, controlplane.Options{}) }
