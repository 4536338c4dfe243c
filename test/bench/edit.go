package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/test/guard/setup"
)

const editsOfRound = 70

// editBench is P9 and P11. It compares requests in a namespace where the guard
// enforces with the same requests in one where it is off.
func editBench(ctx context.Context) {
	plane, admin := startPlane(ctx, controlplane.Options{Guard: true, CRDs: toolHiveCRDs()})
	defer stop(plane.Stop)
	columns := []string{"off: median", "99 %", "enforce: median", "99 %", "enforce / off, medians", "target"}
	edits := newTable(append([]string{"P9: an edit of a config, by the MCPServers of the namespace"}, columns...)...)
	pods := newTable(append([]string{"P11: the creation of a pod, by the MCPServers of the namespace"}, columns...)...)
	count := editsOfRound * rounds
	for _, at := range []struct {
		consumers int
		edit, pod string
	}{{1, "", "<= 1.3"}, {10, "<= 1.4", "<= 2"}, {100, "<= 4.4", "<= 5"}, {1000, "", ""}} {
		progress("%d consumers", at.consumers)
		edits.row(append(append([]string{fmt.Sprint(at.consumers)}, inBothModes(ctx, admin, count, at.consumers, "shared", setBaseline).cells()...), at.edit)...)
		pods.row(append(append([]string{fmt.Sprint(at.consumers)}, createPods(ctx, admin, count, at.consumers).cells()...), at.pod)...)
	}
	edits.row(append(append([]string{"100, of an annotation"}, inBothModes(ctx, admin, count, 100, "shared", annotate).cells()...), "<= 1.3")...)
	edits.row(append([]string{"1000, of a config that none of them uses"}, inBothModes(ctx, admin, count, 1000, "lonely", setBaseline).cells()...)...)
	edits.print()
	pods.print()
}

// inBothModes edits a config in a namespace where the guard is off and in one where it
// enforces, each with consumers of the config shared, count times each, in turn.
func inBothModes(ctx context.Context, c client.Client, count, consumers int, name string, edit func(config *v1beta1.MCPExternalAuthConfig, i int)) took {
	configs := map[string]*v1beta1.MCPExternalAuthConfig{}
	for _, mode := range modes {
		config := sample.Config(filled(ctx, c, mode, consumers), name, "openid")
		check(c.Create(ctx, config))
		configs[mode] = config
	}
	check(setup.Settle(ctx, c))
	return inTurn(modes, count, func(mode string, i int) error {
		edit(configs[mode], i)
		return c.Update(ctx, configs[mode])
	})
}

// createPods creates pods of one of the consumers in both modes.
func createPods(ctx context.Context, c client.Client, count, consumers int) took {
	pods := map[string]*corev1.Pod{}
	for _, mode := range modes {
		pods[mode] = setup.Pod(sample.Server(filled(ctx, c, mode, consumers), "server-0", sample.AuthServerRef("shared")))
	}
	check(setup.Settle(ctx, c))
	return inTurn(modes, count, func(mode string, _ int) error { return c.Create(ctx, pods[mode].DeepCopy()) })
}

var modes = []string{guard.ModeOff, guard.ModeEnforce}

// filled makes a namespace in a mode, with MCPServers that run an auth server from one
// config.
func filled(ctx context.Context, c client.Client, mode string, consumers int) string {
	namespace := must(setup.Namespace(ctx, c, mode))
	inParallel(ctx, consumers, func(ctx context.Context, i int) error {
		return c.Create(ctx, sample.Server(namespace, fmt.Sprintf("server-%d", i), sample.AuthServerRef("shared", "openid", "email")))
	})
	return namespace
}

func (t took) cells() []string {
	ms := func(mode string, at float64) string { return fmt.Sprintf("%.1f ms", percentile(t[mode], at)) }
	return []string{
		ms(guard.ModeOff, 0.5), ms(guard.ModeOff, 0.99), ms(guard.ModeEnforce, 0.5), ms(guard.ModeEnforce, 0.99),
		fmt.Sprintf("%.2f", median(t[guard.ModeEnforce])/median(t[guard.ModeOff])),
	}
}

func setBaseline(config *v1beta1.MCPExternalAuthConfig, i int) {
	baselines := [][]string{{"openid"}, {"openid", "email"}}
	config.Spec.EmbeddedAuthServer.BaselineClientScopes = baselines[i%len(baselines)]
}

func annotate(config *v1beta1.MCPExternalAuthConfig, i int) {
	config.SetAnnotations(map[string]string{"round": fmt.Sprint(i)})
}
