// Package controller_test runs the controllers against a real API server, under
// scopegate's own RBAC.
package controller_test

import (
	"testing"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) {
	testenv.MainWithManager(m, &cluster, controlplane.Options{ControllerManager: true})
}
