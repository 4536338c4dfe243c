package controller_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/internal/controller"
	"github.com/scopegate/scopegate/internal/guard/writer"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// assembling is a manager that notes what is added to it and never starts.
type assembling struct {
	manager.Manager
	added []manager.Runnable
}

func (a *assembling) Add(runnable manager.Runnable) error {
	a.added = append(a.added, runnable)
	return nil
}

// TestRetriesGoOn asks every controller of both modes how long it waits after many failures.
// No other test fails so often that it reaches the longest wait.
func TestRetriesGoOn(t *testing.T) {
	for _, setup := range []func(ctrl.Manager) error{
		func(mgr ctrl.Manager) error { return controller.SetupStandalone(t.Context(), mgr, nil, "") },
		func(mgr ctrl.Manager) error {
			return controller.SetupGuard(t.Context(), mgr, nil, nil, func(string) *writer.Writer { return nil })
		},
	} {
		mgr, err := ctrl.NewManager(cluster.Config, ctrl.Options{
			Scheme: operator.Scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: ptr.To(true)},
		})
		expect.NoError(t, err)
		assembled := &assembling{Manager: mgr}
		expect.NoError(t, setup(assembled))
		var waits []time.Duration
		for _, added := range assembled.added {
			// controller-runtime has no other way to ask for it.
			limiter := reflect.ValueOf(added).Elem().FieldByName("RateLimiter").Interface().(workqueue.TypedRateLimiter[reconcile.Request])
			for range 100 {
				limiter.When(reconcile.Request{})
			}
			waits = append(waits, limiter.When(reconcile.Request{}))
		}
		expect.Equal(t, "the waits of the four controllers", slices.Repeat([]time.Duration{30 * time.Second}, 4), waits)
	}
}
