package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/setup"
)

const editsOfRound = 70

// edits are how long the edits took, by the mode of the namespace, in milliseconds.
type edits map[string][]float64

// editBench is P9. It compares edits in a namespace where the guard's policies deny
// with the same edits in one where they are off.
func editBench(ctx context.Context, o options) {
	plane, admin := startPlane(ctx, controlplane.Options{Guard: true, CRDs: toolHiveCRDs()})
	defer stop(plane.Stop)
	columns := []string{"off: median", "99 %", "deny: median", "99 %", "deny / off, medians", "target"}
	result := newTable(append([]string{"P9: an edit of a baseline, by its consumers"}, columns...)...)
	plotted := newFigures("consumers in the namespace", "with the policies", "without")
	targets := map[int]string{10: "<= 1.2", 100: "<= 3"}
	for _, consumers := range []int{1, 10, 100, 1000} {
		progress("editing a config with %d consumers", consumers)
		took := editConfig(ctx, admin, consumers, editsOfRound*o.rounds)
		result.row(append(append([]string{fmt.Sprint(consumers)}, took.cells()...), targets[consumers])...)
		plotted.add(float64(consumers), median(took[guard.ModeDeny])/1000, median(took[guard.ModeOff])/1000)
	}
	profileEdits(ctx, plane, admin)
	others := newTable(append([]string{"an update of"}, columns[:5]...)...)
	editOthers(ctx, admin, editsOfRound*o.rounds, others)
	result.print()
	plotted.write("edit")
	others.print()
}

// profileEdits profiles the API server while a config with 1,000 consumers is edited.
func profileEdits(ctx context.Context, plane *controlplane.ControlPlane, c client.Client) {
	config := testenv.Config(must(setup.Namespace(ctx, c, guard.ModeDeny)), "shared", "openid")
	storeConsumers(ctx, c, config.Namespace, 1000)
	check(c.Create(ctx, config))
	profile(ctx, plane, "edit", func(i int) error {
		setBaseline(config, i)
		return c.Update(ctx, config)
	})
}

// inBothModes makes a namespace in mode off and one in mode deny, and fills both.
// It edits the object that fill returns count times in each, in turn.
func inBothModes(ctx context.Context, c client.Client, count int, fill func(namespace string) client.Object, edit func(object client.Object, i int)) edits {
	modes := []string{guard.ModeOff, guard.ModeDeny}
	objects := map[string]client.Object{}
	for _, mode := range modes {
		objects[mode] = fill(must(setup.Namespace(ctx, c, mode)))
		check(c.Create(ctx, objects[mode]))
	}
	check(setup.Settle(ctx, c))
	took := edits{}
	for i := range warmUps + count {
		for turn := range modes {
			mode := modes[(i+turn)%len(modes)]
			edit(objects[mode], i)
			begin := time.Now()
			check(c.Update(ctx, objects[mode]))
			if i >= warmUps {
				took[mode] = append(took[mode], time.Since(begin).Seconds()*1000)
			}
		}
	}
	return took
}

func (e edits) cells() []string {
	ms := func(mode string, at float64) string { return fmt.Sprintf("%.1f ms", percentile(e[mode], at)) }
	return []string{
		ms(guard.ModeOff, 0.5), ms(guard.ModeOff, 0.99), ms(guard.ModeDeny, 0.5), ms(guard.ModeDeny, 0.99),
		fmt.Sprintf("%.2f", median(e[guard.ModeDeny])/median(e[guard.ModeOff])),
	}
}

func editConfig(ctx context.Context, c client.Client, consumers, count int) edits {
	return inBothModes(ctx, c, count, func(namespace string) client.Object {
		storeConsumers(ctx, c, namespace, consumers)
		return testenv.Config(namespace, "shared", "openid")
	}, setBaseline)
}

// storeConsumers creates MCPServers that run an auth server from one config.
func storeConsumers(ctx context.Context, c client.Client, namespace string, consumers int) {
	errs := make([]error, consumers)
	setup.InParallel(consumers, func(i int) {
		errs[i] = c.Create(ctx, testenv.Server(namespace, fmt.Sprintf("server-%d", i), testenv.AuthServerRef("shared", "openid", "email")))
	})
	check(errors.Join(errs...))
}

func setBaseline(config client.Object, i int) {
	baselines := [][]string{{"openid"}, {"openid", "email"}}
	config.(*v1beta1.MCPExternalAuthConfig).Spec.EmbeddedAuthServer.BaselineClientScopes = baselines[i%len(baselines)]
}

// editOthers updates objects that ToolHive's operator writes, and objects that
// do not concern it.
func editOthers(ctx context.Context, c client.Client, count int, result *table) {
	for _, updated := range []struct {
		name string
		fill func(namespace string) client.Object
	}{
		{"a ConfigMap with a run config of 5 KB", func(namespace string) client.Object {
			config := setup.RunConfig(namespace, "updated", "openid")
			config.Data[toolhive.RunConfigKey] = strings.Replace(config.Data[toolhive.RunConfigKey], "{", "{\n  \"image\": \""+strings.Repeat("x", 5000)+"\",", 1)
			return config
		}},
		{"another ConfigMap", func(namespace string) client.Object {
			return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "other"}}
		}},
		{"a Deployment", func(namespace string) client.Object {
			return testenv.Deployment(namespace, "updated", map[string]string{"app": "web"})
		}},
		{"a Service", func(namespace string) client.Object {
			return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "updated"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 8080}}}}
		}},
	} {
		progress("updating %s", updated.name)
		took := inBothModes(ctx, c, count, updated.fill, func(object client.Object, i int) {
			object.SetAnnotations(map[string]string{"round": fmt.Sprint(i)})
		})
		result.row(append([]string{updated.name}, took.cells()...)...)
	}
}
