package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/test/guard/setup"
)

const editsOfRound = 70

// took is how long the requests took, by the mode of the namespace, in milliseconds.
type took map[string][]float64

// editBench is P9 and P11. It compares requests in a namespace where the guard
// enforces with the same requests in one where it is off.
func editBench(ctx context.Context, o options) {
	plane, admin := startPlane(ctx, controlplane.Options{Guard: true, CRDs: toolHiveCRDs()})
	defer stop(plane.Stop)
	columns := []string{"off: median", "99 %", "enforce: median", "99 %", "enforce / off, medians", "target"}
	edits := newTable(append([]string{"P9: an edit of a config, by the MCPServers of the namespace"}, columns...)...)
	pods := newTable(append([]string{"P11: the creation of a pod, by the MCPServers of the namespace"}, columns...)...)
	plotted := newFigures("consumers in the namespace", "with the policies", "without")
	count := editsOfRound * o.rounds
	for _, at := range []struct {
		consumers int
		edit, pod string
	}{{1, "", "<= 1.3"}, {10, "<= 1.4", "<= 2"}, {100, "<= 4.4", "<= 5"}, {1000, "", ""}} {
		progress("%d consumers", at.consumers)
		spent := inBothModes(ctx, admin, count, at.consumers, "shared", setBaseline)
		edits.row(append(append([]string{fmt.Sprint(at.consumers)}, spent.cells()...), at.edit)...)
		plotted.add(float64(at.consumers), median(spent[guard.ModeEnforce])/1000, median(spent[guard.ModeOff])/1000)
		pods.row(append(append([]string{fmt.Sprint(at.consumers)}, createPods(ctx, admin, count, at.consumers).cells()...), at.pod)...)
	}
	edits.row(append(append([]string{"100, of an annotation"}, inBothModes(ctx, admin, count, 100, "shared", annotate).cells()...), "<= 1.3")...)
	edits.row(append([]string{"1000, of a config that none of them uses"}, inBothModes(ctx, admin, count, 1000, "lonely", setBaseline).cells()...)...)
	profileEdits(ctx, plane, admin)
	edits.print()
	plotted.write("edit")
	pods.print()
}

// profileEdits profiles the API server while a config with 1,000 consumers is edited.
func profileEdits(ctx context.Context, plane *controlplane.ControlPlane, c client.Client) {
	config := sample.Config(must(setup.Namespace(ctx, c, guard.ModeEnforce)), "shared", "openid")
	storeConsumers(ctx, c, config.Namespace, 1000)
	check(c.Create(ctx, config))
	profile(ctx, plane, "edit", func(i int) error {
		setBaseline(config, i)
		return c.Update(ctx, config)
	})
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
	return inTurn(ctx, c, count, func(mode string, i int) error {
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
	return inTurn(ctx, c, count, func(mode string, _ int) error { return c.Create(ctx, pods[mode].DeepCopy()) })
}

var modes = []string{guard.ModeOff, guard.ModeEnforce}

// filled makes a namespace in a mode, with consumers of a config.
func filled(ctx context.Context, c client.Client, mode string, consumers int) string {
	namespace := must(setup.Namespace(ctx, c, mode))
	storeConsumers(ctx, c, namespace, consumers)
	return namespace
}

// inTurn times a request in both modes, in turn.
func inTurn(ctx context.Context, c client.Client, count int, request func(mode string, i int) error) took {
	check(setup.Settle(ctx, c))
	spent := took{}
	for i := range warmUps + count {
		for turn := range modes {
			mode := modes[(i+turn)%len(modes)]
			begin := time.Now()
			check(request(mode, i))
			if i >= warmUps {
				spent[mode] = append(spent[mode], time.Since(begin).Seconds()*1000)
			}
		}
	}
	return spent
}

func (t took) cells() []string {
	ms := func(mode string, at float64) string { return fmt.Sprintf("%.1f ms", percentile(t[mode], at)) }
	return []string{
		ms(guard.ModeOff, 0.5), ms(guard.ModeOff, 0.99), ms(guard.ModeEnforce, 0.5), ms(guard.ModeEnforce, 0.99),
		fmt.Sprintf("%.2f", median(t[guard.ModeEnforce])/median(t[guard.ModeOff])),
	}
}

// storeConsumers creates MCPServers that run an auth server from one config.
func storeConsumers(ctx context.Context, c client.Client, namespace string, consumers int) {
	var group errgroup.Group
	for i := range consumers {
		group.Go(func() error {
			return c.Create(ctx, sample.Server(namespace, fmt.Sprintf("server-%d", i), sample.AuthServerRef("shared", "openid", "email")))
		})
	}
	check(group.Wait())
}

func setBaseline(config *v1beta1.MCPExternalAuthConfig, i int) {
	baselines := [][]string{{"openid"}, {"openid", "email"}}
	config.Spec.EmbeddedAuthServer.BaselineClientScopes = baselines[i%len(baselines)]
}

func annotate(config *v1beta1.MCPExternalAuthConfig, i int) {
	config.SetAnnotations(map[string]string{"round": fmt.Sprint(i)})
}
