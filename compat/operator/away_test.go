package operator

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const (
	// away is how long the manager is away.
	away = time.Minute
	// restarts is how often the API server is restarted, and window is how long
	// policies with a custom paramKind may be off after its start.
	restarts = 20
	window   = 30 * time.Second
)

// operatorIsQuiet checks that no reconcile of ToolHive's operator fails while pods are
// not created.
func (s *suite) operatorIsQuiet(t *testing.T) {
	l := s.newLane(t)
	l.turn++
	for _, k := range l.kinds() {
		if slices.Contains([]string{"config", "both references", virtual}, k.name) {
			l.prepare(t, k)
			l.spoil(t, k.name, k.edits[0])
			defer func() { expect.NoError(t, k.repair(context.WithoutCancel(t.Context()))) }()
		}
	}
	failed, all := s.reconciles(t)
	pause(t, quiet)
	failedLater, allLater := s.reconciles(t)
	t.Logf("ToolHive's operator, %s in which the pods of four consumers are not created: %v failed reconciles of %v", quiet, failedLater-failed, allLater-all)
	if failedLater > failed {
		t.Errorf("reconciles of ToolHive's operator fail: %v before, %v after %s", failed, failedLater, quiet)
	}
}

// reconciles returns how many reconciles of ToolHive's operator have failed, and how
// many there were.
func (s *suite) reconciles(t *testing.T) (failed, all float64) {
	t.Helper()
	_, text, err := testenv.Fetch(t.Context(), "http://"+s.metrics+"/metrics", "")
	expect.NoError(t, err)
	failed, err = testenv.Sum(text, "controller_runtime_reconcile_errors_total")
	expect.NoError(t, err)
	all, err = testenv.Sum(text, "controller_runtime_reconcile_total")
	expect.NoError(t, err)
	return failed, all
}

// managerAway makes a bad edit while no manager runs, and then repairs a config while
// none runs.
func (s *suite) managerAway(t *testing.T) {
	if _, all := cases(); !all {
		t.Skip("it takes minutes; run it by `make prove SUITE=race`")
	}
	l := s.newLane(t)
	l.turn++
	bad := l.kinds()[0]
	consumers := bad.edits[0].of

	expect.NoError(t, s.manager.Stop())
	edited := time.Now()
	for _, c := range consumers {
		s.watch.with(key(c), func(seen *consumer) { seen.broken = true })
	}
	expect.NoError(t, bad.edits[0].do(t.Context()))
	for _, c := range consumers {
		s.watch.await(t, key(c), "gets a bad pod", func(seen *consumer) bool { return len(seen.created(edited)) > 0 })
	}
	pause(t, away)
	back := time.Now()
	s.startManager()
	for _, c := range consumers {
		s.awaitJudged(t, key(c), back, metav1.ConditionFalse)
	}
	t.Logf("manager away for %s: the pods of %d consumers slip; their conditions say so %s after its start", away, len(consumers), time.Since(back).Round(time.Millisecond))
	repaired := s.fixed(consumers)
	expect.NoError(t, bad.repair(t.Context()))
	for _, c := range consumers {
		s.awaitRolledOut(t, key(c), repaired)
	}

	l.turn++
	l.spoil(t, bad.name, bad.edits[0])
	expect.NoError(t, s.manager.Stop())
	repaired = s.fixed(consumers)
	expect.NoError(t, bad.repair(t.Context()))
	for _, c := range consumers {
		s.watch.await(t, key(c), "gets no pod of the repaired config", func(seen *consumer) bool {
			_, refused := seen.refused(repaired)
			return refused
		})
	}
	pause(t, away)
	for _, c := range consumers {
		s.watch.with(key(c), func(seen *consumer) {
			if created := seen.created(repaired); len(created) > 0 {
				t.Errorf("%s has a pod, without a manager: %+v", key(c), created)
			}
		})
	}
	back = time.Now()
	s.startManager()
	for _, c := range consumers {
		s.awaitJudged(t, key(c), back, metav1.ConditionTrue)
	}
	judged := time.Since(back)
	// Their own back-off is more than a minute now. Any edit ends it.
	sets := &appsv1.ReplicaSetList{}
	expect.NoError(t, s.Client.List(t.Context(), sets, client.InNamespace(l.namespace)))
	for i := range sets.Items {
		expect.NoError(t, s.patch(t.Context(), &sets.Items[i], "metadata.annotations.retry", "now"))
	}
	for _, c := range consumers {
		s.awaitRolledOut(t, key(c), repaired)
	}
	t.Logf("manager away for %s: the repair of a config with %d consumers waits; their conditions are True %s after its start, and the pods are there after %s, because the test annotates the ReplicaSets",
		away, len(consumers), judged.Round(time.Millisecond), time.Since(back).Round(time.Millisecond))
}

// fixed says that the next edit repairs consumers.
func (s *suite) fixed(consumers []kinds.Object) time.Time {
	for _, c := range consumers {
		s.watch.with(key(c), func(seen *consumer) { seen.broken = false })
	}
	return time.Now()
}

func (s *suite) awaitJudged(t *testing.T, of types.NamespacedName, since time.Time, want metav1.ConditionStatus) {
	t.Helper()
	s.watch.await(t, of, "is judged", func(seen *consumer) bool {
		return slices.ContainsFunc(seen.verdicts, func(v verdict) bool { return v.at.After(since) && v.Status == want })
	})
}

// restartAPIServer restarts kube-apiserver with the same flags, and returns when it was
// ready.
func (s *suite) restartAPIServer(t *testing.T) time.Time {
	t.Helper()
	host, err := url.Parse(s.Config.Host)
	expect.NoError(t, err)
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	expect.NoError(t, err)
	for _, file := range files {
		text, _ := os.ReadFile(file) //nolint:gosec // A file of the kernel.
		arguments := bytes.Split(bytes.TrimRight(text, "\x00"), []byte{0})
		if filepath.Base(string(arguments[0])) != "kube-apiserver" || !bytes.Contains(text, []byte("--secure-port="+host.Port())) {
			continue
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		expect.NoError(t, err)
		expect.NoError(t, syscall.Kill(id, syscall.SIGTERM))
		expect.Eventually(t, "kube-apiserver ends", func(context.Context) (bool, error) {
			_, err := os.Stat(file)
			return os.IsNotExist(err), nil
		})
		command := exec.Command(string(arguments[0])) //nolint:gosec // It ran already.
		for _, argument := range arguments[1:] {
			command.Args = append(command.Args, string(argument))
		}
		testenv.StartCommand(t, command)
		clients, err := discovery.NewDiscoveryClientForConfig(s.Config)
		expect.NoError(t, err)
		expect.Eventually(t, "kube-apiserver is ready", func(ctx context.Context) (bool, error) {
			return clients.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil, nil
		})
		return time.Now()
	}
	t.Fatalf("there is no kube-apiserver on port %s", host.Port())
	return time.Time{}
}

// restarts makes bad rollouts immediately after each start of the API server, and
// others when the policies are in force again.
func (s *suite) restarts(t *testing.T) {
	if _, all := cases(); !all {
		t.Skip("it takes minutes; run it by `make prove SUITE=race`")
	}
	l := s.newLane(t)
	kinds := l.kinds()
	kinds = kinds[:len(kinds)-1]
	var early, late []*rollout
	inside, outside := 0, 0
	for i := range restarts {
		ready := s.restartAPIServer(t)
		now := l.play(t, kinds[i%len(kinds)])
		pause(t, time.Until(ready.Add(window)))
		then := l.play(t, kinds[(i+1)%len(kinds)])
		for _, r := range slices.Concat(now, then) {
			t.Logf("restart %d: edited %s after /readyz: %s", i+1, r.edited.Sub(ready).Round(time.Second), r)
			for _, at := range r.bad {
				if at.Sub(ready) < window {
					inside++
				} else {
					outside++
				}
			}
		}
		early, late = append(early, now...), append(late, then...)
	}
	report(t, "at once", early)
	report(t, "after "+window.String(), late)
	t.Logf("%d restarts of the API server: %d bad pods within %s of /readyz, %d later", restarts, inside, window, outside)
	if outside > 0 {
		t.Errorf("%d bad pods were created later than %s after /readyz", outside, window)
	}
}
