package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scopegate/scopegate/internal/guard/condition"
)

var stoodDown = prometheus.NewDesc("scopegate_guard_stood_down",
	"Objects that the guard does not write, because another writer sets their condition BaselineScopesValid. Only in guard mode.",
	[]string{"kind"}, nil)

// StoodDown collects the number of objects of each kind that the guard leaves
// alone.
type StoodDown map[string]*condition.Writer

// Describe implements prometheus.Collector.
func (StoodDown) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- stoodDown }

// Collect sends a sample for each kind.
func (s StoodDown) Collect(samples chan<- prometheus.Metric) {
	for kind, writer := range s {
		samples <- prometheus.MustNewConstMetric(stoodDown, prometheus.GaugeValue, float64(writer.StoodDown()), kind)
	}
}
