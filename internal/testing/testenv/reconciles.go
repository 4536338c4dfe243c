package testenv

import (
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Reconciles returns the number of finished reconciles in this process, and the
// number of objects that are queued or being reconciled.
func Reconciles() (ended, pending float64, err error) {
	families, err := metrics.Registry.Gather()
	if err != nil {
		return 0, 0, fmt.Errorf("reading the metrics of this process: %w", err)
	}
	for _, family := range families {
		for _, metric := range family.Metric {
			switch family.GetName() {
			case "controller_runtime_reconcile_total":
				ended += metric.GetCounter().GetValue()
			case "workqueue_depth", "controller_runtime_active_workers":
				pending += metric.GetGauge().GetValue()
			}
		}
	}
	return ended, pending, nil
}
