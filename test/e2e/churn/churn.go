// Package churn edits objects while ToolHive's operator and the guard's manager
// both write their statuses, and finds out whether one of them loses what it
// wrote, or makes the other one loop.
package churn

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/operator"
)

// Options say how much is done.
type Options struct {
	// Copies of each of the objects that are made.
	Copies int
	// Edits in all, and the pause after each.
	Edits int
	Pause time.Duration
	// Quiet is how long it is watched that nothing more is written.
	Quiet time.Duration
	// Guard reaches the cluster as the guard's manager does.
	Guard *rest.Config
	// Seed of the random edits.
	Seed uint64
	// Output gets the progress.
	Output io.Writer
}

// Result is what was seen.
type Result struct {
	// Edits that were made.
	Edits int
	// GuardWrites are the guard's writes of statuses, and EntryChanges how often a
	// watch saw that its entry had become another by one of them.
	GuardWrites, EntryChanges int
	// Overwritten is how often ToolHive's operator took the entry away or put an
	// old one in its place, and Back how long it took until it was back.
	Overwritten int
	Back        []time.Duration
	// Told is the time from each edit until the condition was of its generation.
	Told []time.Duration
	// Touched are what the guard's writes changed beside its entry.
	Touched []string
	// Wrong are the objects whose condition was not true in the end.
	Wrong []string
	// QuietGuardWrites are the guard's writes after the churn, and QuietBefore and
	// QuietAfter those of ToolHive's operator in the same time, without the guard
	// and with it.
	QuietGuardWrites, QuietBefore, QuietAfter int
}

// Run makes a namespace with the objects, which ToolHive's operator runs, starts
// a guard, and edits the objects.
func Run(ctx context.Context, admin *rest.Config, options Options) (*Result, error) {
	c, err := client.NewWithWatch(admin, client.Options{Scheme: operator.Scheme})
	if err != nil {
		return nil, err
	}
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		// The policies would refuse what the condition is to tell.
		"metadata": map[string]any{"generateName": "churn-", "labels": map[string]any{guard.ModeLabel: guard.ModeOff}},
	}}
	if err := c.Create(ctx, namespace); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	churn := &churn{client: c, namespace: namespace.GetName(), options: options, random: rand.New(rand.NewPCG(options.Seed, 0))} //nolint:gosec // Repeatable.
	return churn.run(ctx)
}

type churn struct {
	client    client.WithWatch
	namespace string
	options   Options
	random    *rand.Rand
	wire      wire
	observer  *observer
	result    Result
}

func (c *churn) say(format string, arguments ...any) {
	_, _ = fmt.Fprintf(c.options.Output, format+"\n", arguments...)
}

func (c *churn) run(ctx context.Context) (*Result, error) {
	var err error
	if c.observer, err = observe(ctx, c.client, c.namespace, &c.wire); err != nil {
		return nil, err
	}
	objects := objects(c.namespace, c.options.Copies)
	for _, object := range objects {
		if err := c.client.Create(ctx, object.DeepCopy()); err != nil {
			return nil, fmt.Errorf("creating %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	c.say("%d objects are made; waiting until ToolHive's operator has done with them", len(objects))
	if err := c.observer.settle(ctx); err != nil {
		return nil, err
	}
	if c.result.QuietBefore, err = c.quiet(ctx); err != nil {
		return nil, err
	}
	stop, err := c.startGuard(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := c.observer.await(ctx, allJudged); err != nil {
		return nil, err
	}
	c.say("every object has the condition; now %d edits", c.options.Edits)
	if err := c.edit(ctx, objects); err != nil {
		return nil, err
	}
	if err := c.observer.await(ctx, allJudged); err != nil {
		return nil, err
	}
	if err := c.observer.settle(ctx); err != nil {
		return nil, err
	}
	before := c.wire.count()
	if c.result.QuietAfter, err = c.quiet(ctx); err != nil {
		return nil, err
	}
	c.result.QuietGuardWrites = c.wire.count() - before
	c.result.GuardWrites = c.wire.count()
	c.observer.report(&c.result)
	if c.result.Wrong, err = wrong(ctx, c.client, c.namespace); err != nil {
		return nil, err
	}
	return &c.result, nil
}

// quiet returns how often ToolHive's operator writes a status while nothing is
// edited.
func (c *churn) quiet(ctx context.Context) (int, error) {
	before := c.observer.writesOfOthers()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(c.options.Quiet):
		return c.observer.writesOfOthers() - before, nil
	}
}

func (c *churn) startGuard(ctx context.Context) (stop func(), err error) {
	cfg := rest.CopyConfig(c.options.Guard)
	cfg.Wrap(c.wire.wrap)
	mgr, err := operator.New(ctx, cfg, operator.Options{
		Namespaces: []string{c.namespace}, MetricsBindAddress: "0", HealthProbeBindAddress: "0", Embedded: true,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	return func() {
		cancel()
		<-done
	}, nil
}

// edit makes random edits. One that ToolHive's CRDs refuse is not counted.
func (c *churn) edit(ctx context.Context, objects []*unstructured.Unstructured) error {
	for c.result.Edits < c.options.Edits {
		object := objects[c.random.IntN(len(objects))].DeepCopy()
		patch := c.patch(object.GetKind())
		if patch == "" {
			continue
		}
		err := c.client.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)))
		switch {
		case apierrors.IsConflict(err):
			continue
		case err != nil:
			return fmt.Errorf("editing %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		c.observer.edited(object)
		if c.result.Edits++; c.result.Edits%100 == 0 {
			c.say("%d edits", c.result.Edits)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(c.options.Pause):
		}
	}
	return nil
}

// patch is an edit of what the verdict reads, or of something else.
func (c *churn) patch(kind string) string {
	list := [...]string{`["openid"]`, `["openid","offline_access"]`, `["openid","profile","admin"]`, `["admin"]`}[c.random.IntN(4)]
	if c.random.IntN(5) == 0 {
		return fmt.Sprintf(`{"metadata":{"annotations":{"example.com/edit":"%d"}}}`, c.random.Int())
	}
	switch kind {
	case "MCPExternalAuthConfig":
		return fmt.Sprintf(`{"spec":{"embeddedAuthServer":{"baselineClientScopes":%s}}}`, list)
	case "MCPServer", "MCPRemoteProxy":
		return fmt.Sprintf(`{"spec":{"oidcConfigRef":{"scopes":%s}}}`, list)
	case "VirtualMCPServer":
		if c.random.IntN(2) == 0 {
			return fmt.Sprintf(`{"spec":{"authServerConfig":{"baselineClientScopes":%s}}}`, list)
		}
		return fmt.Sprintf(`{"spec":{"incomingAuth":{"oidcConfigRef":{"scopes":%s}}}}`, list)
	default:
		return ""
	}
}

// settleTimeout bounds the wait for both operators to be done.
const settleTimeout = 3 * time.Minute

func poll(ctx context.Context, done func() bool) error {
	return wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, settleTimeout, true, func(context.Context) (bool, error) { return done(), nil })
}
