package operator

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// casesVariable is the number of bad rollouts. `make prove SUITE=race` sets it, and
// with it what takes minutes.
const casesVariable = "SCOPEGATE_RACE_CASES"

// fewCases is every kind of bad rollout at least once.
const fewCases = 12

// teams is how many namespaces are edited at once.
const teams = 3

func cases() (count int, all bool) {
	if count, err := strconv.Atoi(os.Getenv(casesVariable)); err == nil {
		return count, true
	}
	return fewCases, false
}

// lane is a team that is edited, and the other namespace that its VirtualMCPServer
// needs, because its mode changes.
type lane struct {
	*team
	virtual *team
	// both has two references: one to its auth server's config, authOfBoth, and one
	// for outgoing calls.
	both       *v1beta1.MCPServer
	authOfBoth *v1beta1.MCPExternalAuthConfig
	// turn makes each edit different, so that each has a ReplicaSet of its own.
	turn int
}

func (s *suite) newLane(t *testing.T) *lane {
	t.Helper()
	l := &lane{team: s.newTeam(t, guard.ModeEnforce), virtual: s.newTeam(t, guard.ModeEnforce)}
	outgoing := sample.OutgoingConfig(l.namespace, "outgoing")
	l.authOfBoth, l.both = &v1beta1.MCPExternalAuthConfig{}, &v1beta1.MCPServer{}
	for object, from := range map[client.Object]client.Object{l.authOfBoth: l.auth, l.both: l.weather} {
		expect.NoError(t, s.Client.Get(t.Context(), client.ObjectKeyFromObject(from), object))
		object.(kinds.Object).GetStatus().Conditions = nil
	}
	meta := metav1.ObjectMeta{Namespace: l.namespace, Name: "both"}
	l.authOfBoth.ObjectMeta, l.both.ObjectMeta = meta, meta
	l.both.Spec.AuthServerRef.Name = meta.Name
	l.both.Spec.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: outgoing.Name}
	s.Create(t, outgoing, l.authOfBoth, l.both)
	for _, c := range []client.Object{l.weather, l.tickets, l.both, l.virtual.office} {
		l.awaitRolledOut(t, key(c), time.Time{})
	}
	return l
}

// edit is what breaks consumers.
type edit struct {
	of []kinds.Object
	// first, if not nil, is done immediately before.
	first, do func(context.Context) error
}

// kind is a kind of bad rollout. Each edit rolls out its consumers.
type kind struct {
	name   string
	edits  []edit
	repair func(context.Context) error
}

// baseline sets the baseline of a config, and a lifespan of this turn.
func (l *lane) baseline(object client.Object, path string, scopes ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		return l.patch(ctx, object, path, map[string]any{
			"baselineClientScopes": scopes, "tokenLifespans": map[string]any{"accessTokenLifespan": fmt.Sprintf("%ds", 100+l.turn)},
		})
	}
}

func (l *lane) scopes(object client.Object, scopes ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		return l.patch(ctx, object, "spec.oidcConfigRef.scopes", append(scopes, fmt.Sprintf("turn:%d", l.turn)))
	}
}

func (l *lane) environment(object client.Object) func(context.Context) error {
	return func(ctx context.Context) error {
		return l.patch(ctx, object, "spec.env", []map[string]any{{"name": "TURN", "value": fmt.Sprint(l.turn)}})
	}
}

func then(steps ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, step := range steps {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

const (
	inConfig  = "spec.embeddedAuthServer"
	inVirtual = "spec.authServerConfig"
	virtual   = "VirtualMCPServer"
)

// kinds returns the kinds of bad rollouts. The last one needs mode warn at first.
func (l *lane) kinds() []kind {
	bad, good := l.baseline(l.auth, inConfig, "openid", badScope), l.baseline(l.auth, inConfig, "openid", goodScope)
	weather, tickets, both, office := []kinds.Object{l.weather}, []kinds.Object{l.tickets}, []kinds.Object{l.both}, []kinds.Object{l.virtual.office}
	shared := []kinds.Object{l.weather, l.tickets}
	enough := []string{"openid", goodScope, "email", "offline_access"}
	return []kind{
		{"config", []edit{{of: shared, do: bad}}, good},
		{"MCPServer", []edit{{of: weather, do: l.scopes(l.weather, "openid")}}, l.scopes(l.weather, enough...)},
		{"MCPRemoteProxy", []edit{{of: tickets, do: l.scopes(l.tickets, "openid")}}, l.scopes(l.tickets, enough...)},
		{"both references", []edit{{of: both, do: l.baseline(l.authOfBoth, inConfig, "openid", badScope)}}, l.baseline(l.authOfBoth, inConfig, "openid", goodScope)},
		{"baseline and environment", []edit{{of: both, first: l.baseline(l.authOfBoth, inConfig, "openid", badScope), do: l.environment(l.both)}}, l.baseline(l.authOfBoth, inConfig, "openid", goodScope)},
		{"another edit while it is bad", []edit{{of: shared, do: bad}, {of: weather, do: l.environment(l.weather)}}, good},
		{virtual, []edit{{of: office, do: then(l.baseline(office[0], inVirtual, "openid", badScope), l.virtual.mode(guard.ModeEnforce))}},
			l.baseline(office[0], inVirtual, "openid", goodScope)},
	}
}

func (tm *team) mode(mode string) func(context.Context) error {
	return func(ctx context.Context) error { return setup.SetMode(ctx, tm.Client, tm.namespace, mode) }
}

// prepare makes the bad edit of a VirtualMCPServer possible, which mode enforce rejects.
func (l *lane) prepare(t *testing.T, k kind) {
	t.Helper()
	if k.name != virtual {
		return
	}
	expect.NoError(t, l.virtual.mode(guard.ModeWarn)(t.Context()))
	bad := []byte(`{"spec":{"authServerConfig":{"baselineClientScopes":["openid","` + badScope + `"]}}}`)
	expect.Eventually(t, "the bad edit is admitted", func(ctx context.Context) (bool, error) {
		err := l.Client.Patch(ctx, l.virtual.office.DeepCopy(), client.RawPatch(types.MergePatchType, bad), client.DryRunAll)
		return err == nil, nil
	})
}

// rollout is one bad rollout of one consumer.
type rollout struct {
	kind   string
	of     types.NamespacedName
	edited time.Time
	// judged is the time from the edit to the condition, and tried that to the first
	// attempt to create a pod. repaired is the time from the repair to the new pod.
	judged, tried, repaired time.Duration
	// bad are the times at which pods were created, although none should be. begun are
	// those of pods of a rollout that began before the edit. lost is the number of old
	// pods that were deleted.
	bad, begun []time.Time
	lost       int
}

// String says when everything happened, in the time since the edit.
func (r *rollout) String() string {
	text := fmt.Sprintf("%s of %s: judged after %s, tried after %s, %d old pods deleted, bad pods after", r.kind, r.of, r.judged, r.tried, r.lost)
	for _, at := range r.bad {
		text += " " + at.Sub(r.edited).String()
	}
	return text
}

// play makes the bad rollouts of a kind and repairs them.
func (l *lane) play(t *testing.T, k kind) []*rollout {
	t.Helper()
	l.turn++
	l.prepare(t, k)
	var all []*rollout
	for _, e := range k.edits {
		all = append(all, l.spoil(t, k.name, e)...)
	}
	repaired := time.Now()
	until := map[types.NamespacedName]time.Time{}
	for _, r := range slices.Backward(all) {
		l.watch.with(r.of, func(seen *consumer) {
			seen.broken = false
			for _, pod := range seen.created(r.edited) {
				switch end, ok := until[r.of]; {
				case ok && !pod.at.Before(end):
				case seen.begun(pod, r.edited):
					r.begun = append(r.begun, pod.at)
				default:
					r.bad = append(r.bad, pod.at)
				}
			}
		})
		until[r.of] = r.edited
	}
	expect.NoError(t, k.repair(t.Context()))
	for _, r := range all {
		r.repaired = l.awaitRolledOut(t, r.of, repaired)
	}
	return all
}

// spoil makes a bad edit and follows it.
func (l *lane) spoil(t *testing.T, name string, e edit) (rollouts []*rollout) {
	t.Helper()
	before := map[types.NamespacedName][]types.UID{}
	edited := time.Now()
	for _, c := range e.of {
		l.watch.with(key(c), func(seen *consumer) { seen.broken, before[key(c)] = true, seen.living() })
	}
	if e.first != nil {
		expect.NoError(t, e.first(t.Context()))
	}
	begin := time.Now()
	expect.NoError(t, e.do(t.Context()))
	for _, c := range e.of {
		r := &rollout{kind: name, of: key(c), edited: edited}
		rollouts = append(rollouts, r)
		l.Get(t, c)
		var verdict verdict
		l.watch.await(t, r.of, "is judged", func(seen *consumer) (ok bool) {
			verdict, ok = seen.judged(begin, metav1.ConditionFalse, c.GetGeneration())
			return ok
		})
		r.judged = verdict.at.Sub(begin)
		l.watch.await(t, r.of, "gets no pod", func(seen *consumer) bool {
			for _, pod := range seen.created(edited) {
				if !seen.begun(pod, edited) {
					r.tried = pod.at.Sub(begin)
					return true
				}
			}
			refusal, ok := seen.refused(begin)
			if ok {
				r.tried = refusal.at.Sub(begin)
			}
			return ok && strings.HasSuffix(refusal.message, verdict.Message) && strings.HasSuffix(seen.replicaFailure(), verdict.Message)
		})
		l.watch.with(r.of, func(seen *consumer) {
			// A rollout that began before the edit replaces a pod.
			gone := func(uid types.UID) bool { return seen.pods[uid].gone }
			if !slices.ContainsFunc(before[r.of], func(uid types.UID) bool { return !gone(uid) }) {
				r.lost = len(before[r.of])
			}
		})
	}
	return rollouts
}

// awaitRolledOut waits until a new pod is the only one, and returns how long after a
// time it was created.
func (s *suite) awaitRolledOut(t *testing.T, of types.NamespacedName, since time.Time) (after time.Duration) {
	t.Helper()
	s.watch.await(t, of, "has rolled out", func(seen *consumer) bool {
		created := seen.created(since)
		if len(created) == 0 || !seen.rolledOut() || !seen.current() {
			return false
		}
		after = created[0].at.Sub(since)
		return true
	})
	return after
}

func key(object client.Object) types.NamespacedName { return client.ObjectKeyFromObject(object) }

// race makes bad rollouts in several namespaces at once, while both cores are busy.
func (s *suite) race(t *testing.T) {
	count, _ := cases()
	lanes := make([]*lane, teams)
	for i := range lanes {
		lanes[i] = s.newLane(t)
	}
	for range 2 {
		testenv.StartCommand(t, exec.Command("sh", "-c", "while :; do :; done"))
	}
	var mu sync.Mutex
	var all []*rollout
	t.Run("lanes", func(t *testing.T) {
		for number, l := range lanes {
			t.Run(l.namespace, func(t *testing.T) {
				t.Parallel()
				kinds := l.kinds()
				for i := number * 2; ; i++ {
					mu.Lock()
					enough := len(all) >= count
					mu.Unlock()
					if enough || t.Failed() {
						return
					}
					found := l.play(t, kinds[i%len(kinds)])
					mu.Lock()
					all = append(all, found...)
					mu.Unlock()
				}
			})
		}
	})
	report(t, "race", all)
	for _, r := range all {
		if len(r.bad) > 0 || r.lost > 0 {
			t.Error(r)
		}
	}
}

// report prints the figures of bad rollouts, in total and for each kind.
func report(t *testing.T, what string, all []*rollout) {
	t.Helper()
	byKind := map[string][]*rollout{}
	for _, r := range all {
		byKind[r.kind] = append(byKind[r.kind], r)
	}
	lines := []string{fmt.Sprintf("%-30s %8s %8s %8s %8s   %-19s %-19s %-19s", what+" (p50, p99)", "rollouts", "bad pods", "begun", "lost", "edit to condition", "edit to attempt", "repair to pod")}
	line := func(name string, rollouts []*rollout) {
		bad, begun, lost := 0, 0, 0
		for _, r := range rollouts {
			bad, begun, lost = bad+len(r.bad), begun+len(r.begun), lost+r.lost
		}
		of := func(latency func(*rollout) time.Duration) string {
			sorted := make([]time.Duration, len(rollouts))
			for i, r := range rollouts {
				sorted[i] = latency(r).Round(time.Millisecond)
			}
			slices.Sort(sorted)
			return fmt.Sprintf("%v, %v", sorted[len(sorted)/2], sorted[len(sorted)*99/100])
		}
		lines = append(lines, fmt.Sprintf("%-30s %8d %8d %8d %8d   %-19s %-19s %-19s", name, len(rollouts), bad, begun, lost,
			of(func(r *rollout) time.Duration { return r.judged }), of(func(r *rollout) time.Duration { return r.tried }), of(func(r *rollout) time.Duration { return r.repaired })))
	}
	for _, name := range slices.Sorted(maps.Keys(byKind)) {
		line(name, byKind[name])
	}
	if len(all) > 0 {
		line("all", all)
	}
	t.Log("\n" + strings.Join(lines, "\n"))
}
