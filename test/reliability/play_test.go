package reliability_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/test/reliability/faults"
)

type step struct {
	edits []edit
	// restart restarts the manager. past shows it some resources as they were
	// after an earlier step.
	restart bool
	past    map[string]int
	// held are the resources whose events the manager gets only after the
	// edits.
	held   []string
	ending faults.Ending
	crash  int
	sent   bool
	// user makes all edits but the first right before this write.
	user int
	rate float64
	seed int64
	// settle waits until all objects that a restarted manager sees at first are
	// reconciled.
	settle bool
}

func (s step) String() string {
	var parts []string
	add := func(is bool, format string, args ...any) {
		if is {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(s.restart, "restart, with %v steps back", s.past)
	add(len(s.held) > 0, "hold %v, then %v", s.held, s.ending)
	add(s.crash > 0, "crash at write %d (sent: %t)", s.crash, s.sent)
	add(s.user > 0, "from the second edit on before write %d", s.user)
	add(s.rate > 0, "%.0f %% of all requests fail (seed %d)", 100*s.rate, s.seed)
	return fmt.Sprintf("%s [%s]", describe(s.edits), strings.Join(parts, "; "))
}

// exact reports whether what the step leaves is a function of its edits.
func (s step) exact() bool { return len(s.edits) <= 1 && len(s.past) == 0 }

// schedule is played in one namespace.
type schedule struct {
	plane       *plane
	name        string
	concurrency int
	listOnly    bool
	steps       []step
	// crash ends the first life of the manager at this write.
	crash int
	sent  bool
	// calm, if not nil, is what the same edits come to without faults. The schedule
	// has to end in the same state, without many more writes.
	calm *outcome
}

func (s schedule) String() string {
	lines := []string{fmt.Sprintf("schedule %s (concurrency %d, lists only: %t, crash at write %d, sent: %t):",
		s.name, s.concurrency, s.listOnly, s.crash, s.sent)}
	for i, step := range s.steps {
		lines = append(lines, fmt.Sprintf("  %d. %v", i, step))
	}
	return strings.Join(lines, "\n")
}

type outcome struct {
	writes []string
	failed int
	lives  int
	end    string
}

// mostWrites limits the ratio of a schedule's writes to those that it sends without
// the faults.
const mostWrites = 1.5

func (o outcome) ratio(calm *outcome) float64 {
	return float64(len(o.writes)) / float64(len(calm.writes))
}

// play plays a schedule. It returns an error if the manager does something
// wrong, or omits something.
func play(ctx context.Context, s schedule) (outcome, error) {
	o, err := playIt(ctx, s)
	for _, violation := range s.plane.Rollouts.Violations() {
		if strings.Contains(violation, " "+s.name+"/") {
			err = errors.Join(err, errors.New(violation))
		}
	}
	if err == nil && s.calm != nil && o.ratio(s.calm) > mostWrites {
		err = fmt.Errorf("%d writes, %d without the faults:\n%s", len(o.writes), len(s.calm.writes), strings.Join(o.writes, "\n"))
	}
	if err != nil {
		err = fmt.Errorf("%w\n%v", err, s)
	}
	return o, err
}

func playIt(ctx context.Context, s schedule) (o outcome, err error) {
	w, err := newWorld(ctx, s.plane, s.name)
	if err != nil {
		return o, err
	}
	k := keep(ctx, w, s.concurrency, start{listOnly: s.listOnly, crash: s.crash, sent: s.sent})
	defer func() {
		err = errors.Join(err, k.end())
		o.writes, o.lives, o.failed = k.sent, k.lives, k.failed
	}()
	p := &player{world: w, supervisor: k}
	if err := p.await(ctx); err != nil {
		return o, fmt.Errorf("at the start: %w", err)
	}
	for i, step := range s.steps {
		if err := p.step(ctx, step); err != nil {
			return o, fmt.Errorf("step %d: %w", i, err)
		}
	}
	if err := p.nudge(ctx); err != nil {
		return o, err
	}
	return o, w.await(ctx, func() string {
		if o.end, err = snapshot(ctx, w); err != nil {
			return err.Error()
		}
		if s.calm == nil {
			return ""
		}
		return cmp.Diff(s.calm.end, o.end)
	})
}

type player struct {
	world      *world
	supervisor *supervisor
	// past has the moment before each step.
	past []moment
}

// moment is a resource version, and the keys of the objects that existed then.
type moment struct {
	version string
	keys    []string
}

func (p *player) remember(ctx context.Context) error {
	list := &v1beta1.MCPOIDCConfigList{}
	if err := p.world.Client.List(ctx, list, client.InNamespace(p.world.namespace)); err != nil {
		return err
	}
	now := moment{version: list.ResourceVersion}
	for key := range p.world.objects {
		now.keys = append(now.keys, key)
	}
	p.past = append(p.past, now)
	return nil
}

func (p *player) await(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.supervisor.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	return p.world.await(ctx, p.world.wrong)
}

func (p *player) step(ctx context.Context, s step) error {
	if err := p.remember(ctx); err != nil {
		return err
	}
	link := p.supervisor.current()
	held := slices.Clone(s.held)
	if s.restart {
		held = slices.AppendSeq(held, maps.Keys(s.past))
		if err := p.restart(ctx, s); err != nil {
			return err
		}
		link = p.supervisor.current()
	}
	for _, resource := range s.held {
		link.Hold(resource)
	}
	if s.rate > 0 {
		link.Fail(s.rate, s.seed)
	}
	if s.crash > 0 {
		link.Crash(s.crash, s.sent)
	}
	if err := p.edit(ctx, link, s); err != nil {
		return err
	}
	// After a crash, only the link of the old life holds events.
	for _, resource := range held {
		link.Release(resource, s.ending)
	}
	if err := p.await(ctx); err != nil {
		return err
	}
	link.Fail(0, 0)
	if s.crash > 0 {
		link.Crash(0, false)
	}
	if len(s.past) > 0 {
		// Events of different kinds come in any order. A reconcile may still write
		// an older baseline, which the next edit would then hold.
		return p.nudge(ctx)
	}
	return nil
}

func (p *player) restart(ctx context.Context, s step) error {
	p.world.follow(s.exact())
	versions, objects := map[string]string{}, 0
	for _, resource := range p.world.resources {
		back, travels := s.past[resource]
		then := p.past[max(0, len(p.past)-1-back)]
		if travels {
			versions[resource] = then.version
		}
		for _, key := range then.keys {
			if resourceOf[key] == resource && key != "oidc" {
				objects++
			}
		}
	}
	if !s.settle {
		p.supervisor.restart(ctx, versions)
		return nil
	}
	return awaitReconciles(ctx, objects, func() { p.supervisor.restart(ctx, versions) })
}

// nudge edits every object once more, and waits for the result. A manager that
// has seen these edits has seen everything before them, and has repaired
// anything that it wrote by an older state.
func (p *player) nudge(ctx context.Context) error {
	for _, key := range allKeys {
		if err := p.world.do(ctx, nudge(key), true); err != nil {
			return err
		}
	}
	if err := p.await(ctx); err != nil {
		return fmt.Errorf("after an edit of every object: %w", err)
	}
	return nil
}

func (p *player) edit(ctx context.Context, link *faults.Link, s step) error {
	if s.user == 0 || len(s.edits) < 2 {
		for _, e := range s.edits {
			if err := p.world.do(ctx, e, s.exact()); err != nil {
				return err
			}
		}
		return nil
	}
	var failed error
	done := make(chan struct{})
	rest := func() {
		defer close(done)
		for _, e := range s.edits[1:] {
			failed = errors.Join(failed, p.world.do(ctx, e, false))
		}
	}
	link.User(s.user, rest)
	if err := p.world.do(ctx, s.edits[0], false); err != nil {
		return err
	}
	// The write may never come. Then the other edits follow when everything is
	// done.
	err := p.world.await(ctx, func() string {
		select {
		case <-done:
			return ""
		default:
			return p.world.wrong()
		}
	})
	if link.NoUser() {
		rest()
	}
	<-done
	return errors.Join(err, failed)
}
