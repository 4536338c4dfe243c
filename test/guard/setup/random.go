package setup

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const (
	// batch is the number of namespaces that are stored before one wait for the
	// policies to see them.
	batch     = 50
	workers   = 4
	editsEach = 4
)

// CheckRandom compares the rejections of the policies with the verdicts of
// internal/resolve before and after an edit, on random namespaces and edits.
func CheckRandom(t *testing.T, cluster *testenv.Cluster, cases int, seed uint64) {
	t.Helper()
	counts := tally{}
	for first := 0; first < cases; first += batch {
		worlds := make([]world, min(batch, cases-first))
		names := make([]string, len(worlds))
		InParallel(len(worlds), func(i int) {
			if t.Failed() {
				return
			}
			var err error
			if names[i], worlds[i], err = storeRandom(t.Context(), cluster.Client, seed, uint64(first+i)); err != nil {
				t.Errorf("case %d: %v", first+i, err)
			}
		})
		if t.Failed() {
			return
		}
		expect.NoError(t, Settle(t.Context(), cluster.Client))
		InParallel(len(worlds), func(i int) {
			g := generator{rand.New(rand.NewPCG(seed+1, uint64(first+i))), names[i]} //nolint:gosec // Repeatable on purpose.
			for range editsEach {
				after := g.edit(worlds[i])
				what, diff := g.compare(t.Context(), cluster.Client, worlds[i], after)
				counts.add(what)
				if diff != "" {
					t.Errorf("case %d (-seed %d): %s\nthe edit:\n%s\nin the namespace:\n%s", first+i, seed, diff, text(after), text(slices.Collect(maps.Values(worlds[i]))...))
				}
			}
		})
		if t.Failed() {
			return
		}
		if done := first + len(worlds); done%1000 == 0 {
			t.Logf("%d of %d random namespaces: no difference", done, cases)
		}
	}
	t.Logf("%d random namespaces, %d edits: %v", cases, cases*editsEach, counts.of)
	for _, what := range outcomes {
		if cases >= 300 && counts.of[what] < cases/15 {
			t.Errorf("only %d edits are %q, too few for a comparison", counts.of[what], what)
		}
	}
}

// storeRandom fills a namespace in mode off, and then changes the mode to deny.
func storeRandom(ctx context.Context, c client.Client, seed, number uint64) (string, world, error) {
	namespace, err := Namespace(ctx, c, guard.ModeOff)
	if err != nil {
		return "", nil, err
	}
	g := generator{rand.New(rand.NewPCG(seed, number)), namespace} //nolint:gosec // Repeatable on purpose.
	w := g.world()
	for _, name := range slices.Sorted(maps.Keys(w)) {
		sent, err := g.sent(w[name])
		if err == nil {
			err = c.Create(ctx, sent)
		}
		if err != nil {
			return "", nil, fmt.Errorf("storing %s: %w", name, err)
		}
		w[name].SetResourceVersion(sent.GetResourceVersion())
	}
	return namespace, w, SetMode(ctx, c, namespace, guard.ModeDeny)
}

// The outcomes of an edit.
const (
	admitted  = "admitted"
	refused   = "refused"
	ratcheted = "admitted, as nothing that the verdict reads is touched"
	unseen    = "admitted, as the consumer has both references"
)

var outcomes = []string{admitted, refused, ratcheted, unseen}

// compare sends an edit, and returns its expected outcome and what is wrong
// with the answer.
func (g generator) compare(ctx context.Context, c client.Client, before world, after client.Object) (what, diff string) {
	what, offenders := expected(before, after)
	sent, err := g.sent(after)
	if err != nil {
		return what, err.Error()
	}
	if _, exists := before[key(after)]; exists {
		err = c.Update(ctx, sent, client.DryRunAll)
	} else {
		err = c.Create(ctx, sent, client.DryRunAll)
	}
	refusal, isRefusal := AsRefusal(err)
	switch {
	case err != nil && !isRefusal:
		return what, err.Error()
	case isRefusal != (what == refused):
		return what, fmt.Sprintf("resolve: %s %v\npolicies: %+v", what, offenders, refusal)
	case isRefusal && !slices.ContainsFunc(offenders, func(pair resolve.Pair) bool { return names(refusal, pair) }):
		return what, fmt.Sprintf("the message names none of %v: %s", offenders, refusal.Message)
	}
	return what, ""
}

// names reports whether a refusal is about a pair, by its consumer, its config and
// its first missing scope.
func names(refusal Refusal, pair resolve.Pair) bool {
	scope := fmt.Sprintf("scope %q ", pair.Verdict.Missing[0])
	return strings.HasPrefix(refusal.Message, scope) && strings.Contains(refusal.Message, pair.Consumer.String()) &&
		(pair.ConfigName == "" || strings.Contains(refusal.Message, fmt.Sprintf("MCPExternalAuthConfig %q", pair.ConfigName)))
}

// expected returns the outcome that an edit must have, by internal/resolve alone.
// An edit is rejected if a pair is NotSupported after it and was not NotSupported
// by the same inputs before. The policies skip a consumer with both references,
// and treat the removal of one as a change of the reference.
func expected(before world, edit client.Object) (string, []resolve.Pair) {
	after := maps.Clone(before)
	after[key(edit)] = edit
	what, offenders := admitted, []resolve.Pair(nil)
	for name, object := range after {
		pair, ok := pairOf(after, object)
		if !ok || pair.Verdict.State != resolve.NotSupported {
			continue
		}
		old, existed := pairOf(before, before[name])
		same := existed && sameInputs(old, pair)
		switch {
		case hasBoth(pair):
			if what == admitted && !same {
				what = unseen
			}
		case same && !hasBoth(old):
			if what == admitted && concerns(edit, pair) {
				what = ratcheted
			}
		default:
			what, offenders = refused, append(offenders, pair)
		}
	}
	return what, offenders
}

func pairOf(w world, object client.Object) (resolve.Pair, bool) {
	consumer, ok := resolve.ConsumerOf(object)
	if !ok {
		return resolve.Pair{}, false
	}
	pair, err := resolve.Resolve(consumer, func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		config, _ := w[key(&v1beta1.MCPExternalAuthConfig{ObjectMeta: metav1.ObjectMeta{Name: name}})].(*v1beta1.MCPExternalAuthConfig)
		return config, nil
	})
	return pair, err == nil
}

func hasBoth(pair resolve.Pair) bool {
	return pair.Consumer.AuthServerRef != "" && pair.Consumer.ExternalAuthConfigRef != ""
}

func sameInputs(old, pair resolve.Pair) bool {
	return old.Verdict.State == resolve.NotSupported && old.ConfigName == pair.ConfigName &&
		slices.Equal(old.Config.BaselineClientScopes, pair.Config.BaselineClientScopes) && slices.Equal(old.Verdict.Effective, pair.Verdict.Effective)
}

// concerns reports whether an edit is of the pair's config or consumer.
func concerns(edit client.Object, pair resolve.Pair) bool {
	if consumer, ok := resolve.ConsumerOf(edit); ok {
		return consumer.String() == pair.Consumer.String()
	}
	return edit.GetName() == pair.ConfigName
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

// InParallel calls do for each of n numbers, in several goroutines.
func InParallel(n int, do func(i int)) {
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for i := worker; i < n; i += workers {
				do(i)
			}
		})
	}
	group.Wait()
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
