package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/metrics"
)

const metricsHead = `# Metrics

The metrics that scopegate serves. [Monitoring](how-to/monitoring.md) explains how to scrape them, and has the alerts and the dashboard.

## Scopegate's own

Names and labels are API. Those that end with _total are counters, all others gauges. At each scrape, every manager counts objects from its cache; merge the managers' values with ` + "`max by`" + `.

`

const othersMetrics = `
## Others' metrics

The [alerts](../config/monitoring/prometheusrule.yaml) and the [dashboard](../config/monitoring/grafana/scopegate.json) also use metrics of controller-runtime and of Go, which every manager serves, and of two others:

- The API server counts the decisions of the guard's policies in ` + "`apiserver_validating_admission_policy_check_total`, with `scopegate-…` in the label `policy`" + `. It does not count an edit that a policy admits.
- kube-state-metrics must be told [to serve the labels of Deployments](how-to/monitoring.md#pods-that-are-not-created). With [this configuration](../config/monitoring/kube-state-metrics/config.yaml) it also serves a series for each object and condition, with the time of the last transition.
`

const tableHead = "| metric | labels | meaning |\n| --- | --- | --- |\n"

// described is a metric as its collector describes it.
type described struct {
	name, help string
	labels     []string
}

// descriptionParts finds the parts of a description, which has no accessors.
var descriptionParts = regexp.MustCompile(`^Desc\{fqName: "(.*?)", help: "(.*?)"(?:, unit: ".*?")?, constLabels: \{.*?\}, variableLabels: \{(.*?)\}(?:, .*)?\}$`)

func describe(collector prometheus.Collector) ([]described, error) {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		collector.Describe(descriptions)
	}()
	var found []described
	for description := range descriptions {
		parts := descriptionParts.FindStringSubmatch(description.String())
		if parts == nil {
			return nil, fmt.Errorf("unexpected form of a description: %s", description)
		}
		metric := described{name: parts[1], help: strings.ReplaceAll(parts[2], `\"`, `"`)}
		for label := range strings.SplitSeq(parts[3], ",") {
			if label != "" {
				metric.labels = append(metric.labels, "`"+label+"`")
			}
		}
		found = append(found, metric)
	}
	return found, nil
}

func (d described) row() string {
	return fmt.Sprintf("| `%s` | %s | %s |\n", d.name, strings.Join(d.labels, ", "), cell(d.help))
}

func metricsPage() (string, error) {
	var page strings.Builder
	page.WriteString(metricsHead + tableHead)
	// Both modes count verdicts.
	written := map[string]bool{}
	for _, collector := range append([]prometheus.Collector{metrics.Collector{Standalone: true}, metrics.Collector{}, metrics.WatchErrors}, canary.Metrics...) {
		own, err := describe(collector)
		if err != nil {
			return "", err
		}
		for _, metric := range own {
			if !written[metric.name] {
				page.WriteString(metric.row())
				written[metric.name] = true
			}
		}
	}
	page.WriteString(othersMetrics)
	return page.String(), nil
}
