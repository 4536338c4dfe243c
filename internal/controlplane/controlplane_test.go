package controlplane_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestStopEndsWatches checks that kube-apiserver does not wait for open watches.
func TestStopEndsWatches(t *testing.T) {
	plane, err := controlplane.Start(t.Context(), controlplane.Options{Bare: true})
	expect.NoError(t, err)
	admin, err := client.NewWithWatch(plane.Config, client.Options{})
	expect.NoError(t, err)
	watch, err := admin.Watch(t.Context(), &corev1.ConfigMapList{})
	expect.NoError(t, err)
	go func() {
		for range watch.ResultChan() {
		}
	}()
	start := time.Now()
	if err := plane.Stop(); err != nil {
		t.Error(err)
	}
	// It takes a second; with open watches it would take a minute.
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("stopping the control plane took %s with an open watch", took)
	}
}
