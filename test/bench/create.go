package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// createsPerRound is how often each group has an object created in a round.
const createsPerRound = 700

// workload is a config to create.
type workload struct {
	name                string
	baseline, supported int
	// The targets of P1, for the median and the 99th percentile, and of P2.
	targets [3]string
}

var workloads = []workload{
	{"2 of 6 scopes", 2, 6, [3]string{"<= 1.01", "<= 1.02", "<= 0.10"}},
	{"10 of 100 scopes", 10, 100, [3]string{"<= 1.04", "<= 1.04", "<= 0.30"}},
}

// createBench is P1 and P2: what the rules add to the create of an object, as a
// share of it and of what a webhook with the same check adds.
func createBench(ctx context.Context, o options) (err error) {
	plane, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	cfg := rest.CopyConfig(plane.Config)
	cfg.QPS = -1
	admin, err := client.New(cfg, client.Options{Scheme: operator.Scheme})
	if err != nil {
		return err
	}
	if err := admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	stop, err := serveVariants(ctx, admin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	row := func(what, measured, target string) {
		_, _ = fmt.Fprintf(table, "| %s\t| %s\t| %s\t|\n", what, measured, target)
	}
	row("create of an MCPExternalAuthConfig", "measured", "target")
	row("---", "---", "---")
	for _, load := range workloads {
		if err := compareCreates(ctx, admin, load, createsPerRound*o.rounds, row); err != nil {
			return err
		}
	}
	return table.Flush()
}

// serveVariants adds the groups beside scopegate's own.
func serveVariants(ctx context.Context, admin client.Client) (stop func() error, err error) {
	crds, err := config.CRDs()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(crds, func(crd *apiextensionsv1.CustomResourceDefinition) bool {
		return crd.Spec.Names.Kind == "MCPExternalAuthConfig"
	})
	for group, keep := range map[string]func(apiextensionsv1.ValidationRule) bool{withoutRules: noRule, withOneRule: onBaseline, withWebhook: noRule} {
		if err := admin.Create(ctx, variant(crds[at], group, keep)); err != nil {
			return nil, err
		}
	}
	return serveWebhook(ctx, admin)
}

func compareCreates(ctx context.Context, admin client.Client, load workload, count int, row func(what, measured, target string)) error {
	progress("%s: creating %d objects in each group", load.name, count)
	stored, err := creates(ctx, admin, load, count, []string{withRules, withoutRules})
	if err != nil {
		return err
	}
	progress("%s: creating as many without storing them", load.name)
	dry, err := creates(ctx, client.NewDryRunClient(admin), load, count, []string{withRules, withoutRules, withOneRule, withWebhook})
	if err != nil {
		return err
	}
	share := func(at float64) string {
		with, without := percentile(stored[withRules], at), percentile(stored[withoutRules], at)
		return fmt.Sprintf("%.3f (%.2f / %.2f ms)", with/without, with, without)
	}
	added := func(group string) float64 {
		return percentile(dry[group], 0.5) - percentile(dry[withoutRules], 0.5)
	}
	row("P1: "+load.name+", with the rules / without, median", share(0.5), load.targets[0])
	row("P1: "+load.name+", with the rules / without, 99th percentile", share(0.99), load.targets[1])
	against := func(group string) string {
		return fmt.Sprintf("%.2f (%.3f / %.3f ms)", added(group)/added(withWebhook), added(group), added(withWebhook))
	}
	row("P2: "+load.name+", what the rule adds / what a webhook with the same check adds", against(withOneRule), load.targets[2])
	row("P2: "+load.name+", what all rules of the kind add / what the webhook adds", against(withRules), "")
	return nil
}

// creates makes so many objects in each group, in turn, and returns how long
// each took, in milliseconds.
func creates(ctx context.Context, c client.Client, load workload, count int, groups []string) (map[string][]float64, error) {
	took := map[string][]float64{}
	for i := range count + warmUps {
		// Who comes first has to wait for the processor more often.
		for turn := range groups {
			group := groups[(i+turn)%len(groups)]
			object, err := load.object(group)
			if err != nil {
				return nil, err
			}
			begin := time.Now()
			if err := c.Create(ctx, object); err != nil {
				return nil, fmt.Errorf("creating in group %s: %w", group, err)
			}
			if i >= warmUps {
				took[group] = append(took[group], time.Since(begin).Seconds()*1000)
			}
		}
	}
	return took, nil
}

// warmUps are creates that are not counted, after which the API server has
// compiled what it needs.
const warmUps = 50

func (l workload) object(group string) (*unstructured.Unstructured, error) {
	all := make([]string, l.supported)
	for i := range all {
		all[i] = fmt.Sprintf("https://auth.example.com/scopes/%d", i)
	}
	config := testenv.Config(namespace, "", all[l.supported-l.baseline:]...)
	config.GenerateName = "config-"
	config.Spec.EmbeddedAuthServer.ScopesSupported = all
	body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(config)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{Object: body}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: v1beta1.GroupVersion.Version, Kind: "MCPExternalAuthConfig"})
	return object, nil
}

func percentile(values []float64, at float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(at*float64(len(sorted)-1))]
}
