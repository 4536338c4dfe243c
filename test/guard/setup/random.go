package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const (
	// batch is the number of namespaces that are stored before one wait for the
	// policies to see them.
	batch     = 100
	workers   = 4
	editsEach = 3
)

// modes are the values of the label: the modes, and one that is none of them.
var modes = append(slices.Clone(guard.Modes), "Enforce")

// space is a random namespace.
type space struct {
	generator
	world world
}

// CheckRandom compares the answers of the policies with the verdicts of
// internal/resolve, in random namespaces and in each mode. A manager writes the
// conditions that the policies on pods read.
func CheckRandom(t *testing.T, cluster *testenv.Cluster, cases int, seed uint64) {
	t.Helper()
	asAdministrator := func(cfg *rest.Config) { cfg.Impersonate = rest.ImpersonationConfig{} }
	manager, err := cluster.RunWith(t.Context(), asAdministrator, operator.Options{})
	expect.NoError(t, err)
	defer func() { expect.NoError(t, manager.Stop()) }()
	cfg, counts := rest.CopyConfig(cluster.Config), tally{}
	cfg.WarningHandlerWithContext = warningHandler{}
	c, err := client.New(cfg, client.Options{Scheme: cluster.Client.Scheme()})
	expect.NoError(t, err)
	for first := 0; first < cases; first += batch {
		spaces := make([]*space, min(batch, cases-first))
		for i := range spaces {
			spaces[i] = &space{generator: generator{Rand: rand.New(rand.NewPCG(seed, uint64(first+i)))}} //nolint:gosec // Repeatable on purpose.
		}
		each := func(do func(*space) error) {
			var group errgroup.Group
			group.SetLimit(workers)
			for i, s := range spaces {
				group.Go(func() error {
					if err := do(s); err != nil {
						return fmt.Errorf("case %d (-seed %d): %w\nin the namespace:\n%s", first+i, seed, err, text(slices.Collect(maps.Values(s.world))...))
					}
					return nil
				})
			}
			expect.NoError(t, group.Wait())
		}
		each(func(s *space) error { return s.store(t.Context(), cluster.Client) })
		for _, s := range spaces {
			s.awaitConditions(t, cluster.Client)
		}
		for _, mode := range modes {
			each(func(s *space) error { return SetMode(t.Context(), cluster.Client, s.namespace, mode) })
			expect.NoError(t, Settle(t.Context(), cluster.Client))
			each(func(s *space) error { return s.check(t.Context(), c, mode, &counts) })
		}
		if done := first + len(spaces); done%1000 == 0 {
			t.Logf("%d of %d random namespaces: no difference", done, cases)
		}
	}
	t.Logf("%d random namespaces, %d edits, in each of %q: %v", cases, cases*editsEach*len(modes), modes, counts.of)
	for _, what := range outcomes {
		if cases >= 100 && counts.of[what] < cases/30 {
			t.Errorf("only %d are %q, too few for a comparison", counts.of[what], what)
		}
	}
}

// store fills a new namespace in mode off.
func (s *space) store(ctx context.Context, c client.Client) (err error) {
	if s.namespace, err = Namespace(ctx, c, guard.ModeOff); err != nil {
		return err
	}
	s.world = s.generator.world()
	for _, name := range slices.Sorted(maps.Keys(s.world)) {
		sent, err := s.sent(s.world[name])
		if err != nil {
			return err
		}
		if err := c.Create(ctx, sent); err != nil {
			return fmt.Errorf("storing %s: %w", name, err)
		}
		if len(sent.GetFinalizers()) == 0 {
			continue
		}
		if err := c.Delete(ctx, sent); err != nil {
			return fmt.Errorf("deleting %s: %w", name, err)
		}
		s.world[name].SetDeletionTimestamp(&metav1.Time{Time: time.Now()})
	}
	return nil
}

// awaitConditions waits until every consumer has the condition that it must have, for
// its generation.
func (s *space) awaitConditions(t *testing.T, c client.WithWatch) {
	t.Helper()
	for object, pair := range s.world.pairs() {
		want := condition.ForConsumer(pair)
		testenv.Await(t, c, object, "is judged", func(seen kinds.Object) bool {
			got := testenv.Valid(seen)
			if want == nil {
				return got.Type == ""
			}
			return got.Status == want.Status && got.Message == want.Message && got.ObservedGeneration == seen.GetGeneration()
		})
	}
}

// check tries random edits, and a pod of each consumer.
func (s *space) check(ctx context.Context, c client.Client, mode string, counts *tally) error {
	for range editsEach {
		after := s.edit(s.world)
		what, mistakes := expected(s.world, after)
		counts.add(what)
		if err := s.compare(ctx, mode, mistakes, func(ctx context.Context) error { return s.send(ctx, c, after) }); err != nil {
			return fmt.Errorf("in mode %s, %s: %w\nthe edit:\n%s", mode, what, err, text(after))
		}
	}
	for object, pair := range s.world.pairs() {
		what, mistakes := expectedOfPod(pair)
		counts.add(what)
		if err := s.compare(ctx, mode, mistakes, func(ctx context.Context) error { return c.Create(ctx, Pod(object), client.DryRunAll) }); err != nil {
			return fmt.Errorf("in mode %s, a pod of %s: %w", mode, pair.Consumer, err)
		}
		if s.chance(75) {
			continue
		}
		other := Pod(object)
		s.relabel(other.Labels)
		if err := s.compare(ctx, mode, nil, func(ctx context.Context) error { return c.Create(ctx, other, client.DryRunAll) }); err != nil {
			return fmt.Errorf("in mode %s, a pod of %s with the labels %v: %w", mode, pair.Consumer, other.Labels, err)
		}
	}
	return nil
}

// deprecated is the API server's warning about the older version.
const deprecated = "toolhive.stacklok.dev/v1alpha1 is deprecated; use v1beta1"

// compare makes a request, and returns an error if the answer of the policies is not
// that of the mode on these mistakes: one of them must reject the request, or there
// must be a warning of each.
func (s *space) compare(ctx context.Context, mode string, mistakes []Refusal, request func(context.Context) error) error {
	ctx, warnings := withWarnings(ctx)
	err := request(ctx)
	var got, want []Refusal
	for _, warning := range *warnings {
		if warning == deprecated {
			continue
		}
		refusal, ok := asWarning(warning)
		if !ok {
			return fmt.Errorf("the API server warns: %s", warning)
		}
		got = append(got, refusal)
	}
	if refusal, refused := AsRefusal(err); refused {
		got = append(got, refusal)
	} else if err != nil {
		return err
	}
	denied := false
	for _, mistake := range mistakes {
		binding := bindingOf(mistake.Policy, mode)
		if binding == "" {
			continue
		}
		denied = denied || binding == "-deny"
		mistake.Binding = mistake.Policy + binding
		want = append(want, mistake)
	}
	if denied && len(got) == 1 && slices.Contains(want, got[0]) {
		return nil
	}
	order := func(a, b Refusal) int { return strings.Compare(a.Message, b.Message) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if !slices.Equal(got, want) {
		return fmt.Errorf("the policies say %+v, want %+v", got, want)
	}
	return nil
}

// bindingOf returns the end of the name of the binding by which a policy answers in a
// mode, or "" if it does not.
func bindingOf(policy, mode string) string {
	onPods := strings.HasPrefix(policy, "scopegate-pods-of-")
	switch {
	case mode == guard.ModeOff:
		return ""
	case mode == guard.ModeStrict, mode == guard.ModeEnforce && (onPods || policy == guard.VirtualMCPServersPolicy):
		return "-deny"
	case onPods:
		return ""
	default:
		return "-warn"
	}
}

// send creates an object, or replaces the spec of one that exists, by dry run.
func (s *space) send(ctx context.Context, c client.Client, object client.Object) error {
	sent, err := s.sent(object)
	if err != nil {
		return err
	}
	if _, exists := s.world[key(object)]; !exists {
		return c.Create(ctx, sent, client.DryRunAll)
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/spec", "value": sent.Object["spec"]},
		{"op": "add", "path": "/metadata/labels", "value": map[string]string{"edited": "true"}},
	})
	if err != nil {
		return err
	}
	return c.Patch(ctx, sent, client.RawPatch(types.JSONPatchType, patch), client.DryRunAll)
}

type tally struct {
	mu sync.Mutex
	of map[string]int
}

func (c *tally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[what]++
}

func text(objects ...client.Object) string {
	var all strings.Builder
	for _, object := range objects {
		object = object.DeepCopyObject().(client.Object)
		object.SetManagedFields(nil)
		object.SetUID(types.UID(""))
		part, _ := yaml.Marshal(object)
		fmt.Fprintf(&all, "--- # %T\n%s", object, part)
	}
	return all.String()
}
