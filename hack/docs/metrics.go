package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/metrics"
)

const metricsHead = `# Metrics

What scopegate's manager serves beside the metrics of controller-runtime. They are counted when they are scraped, from the manager's cache. Names and
labels are API.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
`

func metricsPage() (string, error) {
	collector := metrics.Collector{Cache: oneServer{}, Held: metrics.HeldInWholeMode}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(collector); err != nil {
		return "", err
	}
	families, err := registry.Gather()
	if err != nil {
		return "", err
	}
	if described := countDescribed(collector); described != len(families) {
		return "", fmt.Errorf("%d metrics are described, but one object has %d", described, len(families))
	}
	var page strings.Builder
	page.WriteString(metricsHead)
	for _, family := range families {
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+label.GetName()+"`")
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()), strings.Join(labels, ", "), cell(family.GetHelp()))
	}
	return page.String(), nil
}

func countDescribed(collector prometheus.Collector) int {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		collector.Describe(descriptions)
	}()
	count := 0
	for range descriptions {
		count++
	}
	return count
}

// oneServer is a cache with one object, so that every metric has a series.
type oneServer struct{ client.Reader }

// List returns one MCPServer that is held, and no other kind.
func (oneServer) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	servers, ok := list.(*v1beta1.MCPServerList)
	if !ok {
		return nil
	}
	servers.Items = make([]v1beta1.MCPServer, 1)
	servers.Items[0].Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionBaselineScopesValid, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonBaselineScopeNotSupported},
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonBaselineScopeNotSupported},
	}
	return nil
}
