package main

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// listsBench measures the processor time of the API server for an edit of a config, by the
// length of the list of scopes of its only consumer. ToolHive's CRDs do not bound that list,
// and 50,000 scopes are about what an object can hold. The baseline has ten, their limit.
func listsBench(ctx context.Context) {
	plane, c := startPlane(ctx, controlplane.Options{Guard: true, CRDs: toolHiveCRDs()})
	defer stop(plane.Stop)
	const edits = 10
	result := newTable("An edit of a config, by the scopes in the list of its MCPServer: processor time of the API server", "off", "enforce", "enforce / off")
	for _, count := range []int{500, 5_000, 50_000} {
		progress("lists of %d scopes", count)
		scopes := sample.Many("scope", count)
		spent := map[string]float64{}
		for _, mode := range modes {
			namespace := must(setup.Namespace(ctx, c, mode))
			check(c.Create(ctx, sample.Server(namespace, "web", sample.AuthServerRef("shared", scopes...))))
			config := sample.Config(namespace, "shared")
			check(c.Create(ctx, config))
			check(setup.Settle(ctx, c))
			before := processorTime(ctx, plane)
			for i := range edits {
				config.Spec.EmbeddedAuthServer.BaselineClientScopes = scopes[len(scopes)-10-i : len(scopes)-i]
				check(c.Update(ctx, config, client.DryRunAll))
			}
			spent[mode] = (processorTime(ctx, plane) - before) / edits * 1000
		}
		result.row(fmt.Sprint(count), fmt.Sprintf("%.0f ms", spent[guard.ModeOff]), fmt.Sprintf("%.0f ms", spent[guard.ModeEnforce]), fmt.Sprintf("%.2f", spent[guard.ModeEnforce]/spent[guard.ModeOff]))
	}
	result.print()
}

// processorTime returns the processor time that the API server has used, in seconds.
func processorTime(ctx context.Context, plane *controlplane.ControlPlane) float64 {
	clientset := must(kubernetes.NewForConfig(plane.Config))
	text := must(clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx))
	return must(testenv.Sum(string(text), "process_cpu_seconds_total"))
}
