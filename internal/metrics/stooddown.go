package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scopegate/scopegate/internal/guard/condition"
)

var stoodDown = prometheus.NewDesc("scopegate_guard_stood_down",
	"Objects that the guard leaves alone, since somebody else writes their condition BaselineScopesValid. Guard mode only.",
	[]string{"kind"}, nil)

// StoodDown collects how many objects of each kind the guard leaves alone.
type StoodDown map[string]*condition.Writer

// Describe sends the description of the metric.
func (StoodDown) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- stoodDown }

// Collect sends a sample for each kind.
func (s StoodDown) Collect(samples chan<- prometheus.Metric) {
	for kind, writer := range s {
		samples <- prometheus.MustNewConstMetric(stoodDown, prometheus.GaugeValue, float64(writer.StoodDown()), kind)
	}
}
