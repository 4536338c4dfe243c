package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	_ "sigs.k8s.io/controller-runtime/pkg/controller" // Registers its metrics.
	runtimemetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/metrics"
)

const metricsHead = `# Metrics

The metrics that scopegate serves. [Monitoring](how-to/monitoring.md) explains how to scrape them, and has the alerts and the dashboard.

## Scopegate's own

Names and labels are API. All metrics are gauges. At each scrape, every manager counts objects from its cache. All managers report the same values; merge them with ` + "`max by`" + `.

`

const standardHead = `
## What every manager serves

The [alerts](../config/monitoring/prometheusrule.yaml) and the [dashboard](../config/monitoring/grafana/scopegate.json) use these metrics of
controller-runtime and of Go.

`

const apiServerHead = `
## The API server's own

The API server counts the decisions of the guard's policies, with ` + "`scopegate-…`" + ` in the label ` + "`policy`" + `. It does not count an edit that a policy admits.

| metric | labels |
| --- | --- |
`

const objectsHead = `
## By kube-state-metrics

The alert on pods that are not created uses ` + "`kube_deployment_status_condition` and `kube_deployment_labels`" + `: see [what kube-state-metrics must be told](how-to/monitoring.md#pods-that-are-not-created).

With [this configuration](../config/monitoring/kube-state-metrics/config.yaml) it also serves a series for each object. The value is the time of the last transition.

| metric | kinds | labels |
| --- | --- | --- |
`

const tableHead = "| metric | labels | meaning |\n| --- | --- | --- |\n"

// apiServerLabels are those of every metric of policies.
const apiServerLabels = "`policy`, `policy_binding`, `error_type`, `enforcement_action`"

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
	for _, collector := range append([]prometheus.Collector{metrics.Collector{Standalone: true}, metrics.Collector{}}, canary.Metrics...) {
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
	asked, err := askedFor()
	if err != nil {
		return "", err
	}
	page.WriteString(standardHead + tableHead)
	standard, err := describe(runtimemetrics.Registry.(prometheus.Collector))
	if err != nil {
		return "", err
	}
	slices.SortFunc(standard, func(a, b described) int { return strings.Compare(a.name, b.name) })
	for _, metric := range standard {
		if asked[metric.name] {
			page.WriteString(metric.row())
			delete(asked, metric.name)
		}
	}
	page.WriteString(apiServerHead)
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if strings.HasPrefix(name, "apiserver_") {
			fmt.Fprintf(&page, "| `%s` | %s |\n", name, apiServerLabels)
		} else if name != "up" && !strings.HasPrefix(name, "scopegate_") && !strings.HasPrefix(name, "kube_") {
			return "", fmt.Errorf("an alert or the dashboard uses %s, which no collector here serves", name)
		}
	}
	page.WriteString(objectsHead)
	if err := writeObjectMetrics(&page); err != nil {
		return "", err
	}
	return page.String(), nil
}

// selector finds the name of a metric in a query. All queries have a matcher.
var selector = regexp.MustCompile(`([a-z_]+)\{`)

// askedFor returns the metrics that the alerts and the dashboard use.
func askedFor() (map[string]bool, error) {
	asked := map[string]bool{}
	for _, path := range []string{"config/monitoring/prometheusrule.yaml", "config/monitoring/grafana/scopegate.json"} {
		text, err := os.ReadFile(path) //nolint:gosec // A file of this repository.
		if err != nil {
			return nil, err
		}
		for _, match := range selector.FindAllStringSubmatch(string(text), -1) {
			asked[strings.TrimSuffix(match[1], "_bucket")] = true
		}
	}
	return asked, nil
}

// writeObjectMetrics lists the metrics that kube-state-metrics is configured for.
func writeObjectMetrics(page *strings.Builder) error {
	text, err := os.ReadFile("config/monitoring/kube-state-metrics/config.yaml")
	if err != nil {
		return err
	}
	var config struct {
		Spec struct {
			Resources []struct {
				GroupVersionKind struct{ Kind string }
				MetricNamePrefix string
				Metrics          []struct{ Name string }
			}
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return err
	}
	kinds := map[string][]string{}
	for _, resource := range config.Spec.Resources {
		for _, metric := range resource.Metrics {
			name := resource.MetricNamePrefix + "_" + metric.Name
			kinds[name] = append(kinds[name], resource.GroupVersionKind.Kind)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(page, "| `%s` | %s | `namespace`, `name`, `status`, `reason`, `customresource_kind` |\n", name, strings.Join(kinds[name], ", "))
	}
	return nil
}
