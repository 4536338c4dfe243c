package controlplane_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
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
	// A kube-apiserver that waits for its watches takes a minute, and Stop fails sooner.
	expect.NoError(t, plane.Stop())
}
