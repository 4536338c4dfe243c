package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scopegate/scopegate/internal/guard/condition"
	"github.com/scopegate/scopegate/internal/resolve"
)

var stoodDown = prometheus.NewDesc("scopegate_guard_stood_down",
	"1 for a kind on which somebody else writes BaselineScopesValid, so that scopegate no longer does, else 0. Guard mode only.",
	[]string{"kind"}, nil)

// StoodDown collects for which kinds the guard has given way.
type StoodDown struct{ Rivals *condition.Rivals }

// Describe sends the description of the metric.
func (StoodDown) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- stoodDown }

// Collect sends a sample for each kind.
func (s StoodDown) Collect(samples chan<- prometheus.Metric) {
	for _, kind := range []string{
		resolve.KindMCPExternalAuthConfig, resolve.KindMCPServer, resolve.KindMCPRemoteProxy, resolve.KindVirtualMCPServer,
	} {
		value := 0.0
		if s.Rivals.StoodDown(kind) {
			value = 1
		}
		samples <- prometheus.MustNewConstMetric(stoodDown, prometheus.GaugeValue, value, kind)
	}
}
