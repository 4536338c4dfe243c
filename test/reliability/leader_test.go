package reliability_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestLeaderEnds ends the manager that leads, while another waits for the lease, and
// edits right after it. A manager that is stopped releases the lease. Nobody can know
// that one was killed until its lease ends.
func TestLeaderEnds(t *testing.T) {
	w := worldOf(t, standalone, "leader")
	manager, edits := testenv.BuildManager(t), story()
	leader := startProcess(t, manager, w, w.Config)
	awaitRight(t, w)
	for _, killed := range []bool{false, true} {
		if killed && *full == 0 {
			break
		}
		next := startProcess(t, manager, w, w.Config)
		next.AwaitLog(t, "Attempting to acquire leader lease")
		before, end := leaseHolder(t, w), "stopped"
		if killed {
			end = "killed"
			leader.Kill()
		} else {
			expect.NoError(t, leader.Stop())
			if leaseHolder(t, w) == before {
				t.Errorf("%s has stopped, but still holds the lease", before)
			}
		}
		begin := time.Now()
		for _, edit := range edits[:3] {
			expect.NoError(t, w.do(t.Context(), edit, false))
		}
		edits = edits[3:]
		awaitRight(t, w)
		report(t, "R6", begin, fmt.Sprintf("the leader is %s, three edits after it", end), "right after %s", time.Since(begin).Round(100*time.Millisecond))
		leader = next
	}
	expect.NoError(t, leader.Stop())
}

// leaseHolder returns who holds the lease of standalone mode, or "".
func leaseHolder(t *testing.T, w *world) string {
	t.Helper()
	lease := &coordinationv1.Lease{}
	expect.NoError(t, w.Client.Get(t.Context(), client.ObjectKey{Namespace: controlplane.Namespace, Name: operator.StandaloneLease}, lease))
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// TestEtcdOutage halts etcd under a process with a lease, so that the API server
// answers nothing but timeouts.
func TestEtcdOutage(t *testing.T) {
	if *full == 0 {
		t.Skip("only in a full run, for its time")
	}
	const length = time.Minute
	before := etcds(t)
	plane, err := startStandalone(t.Context())
	expect.NoError(t, err)
	t.Cleanup(func() { expect.NoError(t, errors.Join(plane.CheckRollouts(), plane.Stop())) })
	w := worldOf(t, plane, "etcd")
	process := startProcess(t, testenv.BuildManager(t), w, w.Config)
	awaitRight(t, w)

	started := slices.DeleteFunc(etcds(t), func(pid int) bool { return slices.Contains(before, pid) })
	if len(started) != 1 {
		t.Fatalf("the processes %v are etcd, want one", started)
	}
	halt(t, started[0])
	t.Cleanup(func() { _ = syscall.Kill(started[0], syscall.SIGCONT) })
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	// The outage lasts as long as this create: until ctx is done.
	if err := w.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "while-etcd-is-away"}}); !errors.Is(err, context.DeadlineExceeded) {
		<-ctx.Done()
		if err == nil {
			t.Error("the API server creates objects while etcd is away")
		}
	}
	expect.NoError(t, syscall.Kill(started[0], syscall.SIGCONT))

	begin := time.Now()
	for _, e := range story()[:3] {
		expect.NoError(t, w.do(t.Context(), e, false))
	}
	awaitRight(t, w)
	took := time.Since(begin)
	if err := process.Stop(); err != nil {
		t.Errorf("the manager did not survive it: %v", err)
	}
	report(t, "R6", begin, fmt.Sprintf("etcd is away for %s, three edits after it", length), "0 exits, right after %s", took.Round(100*time.Millisecond))
}

// halt stops a child of this process, and waits until all of its threads have
// stopped: on a busy machine, the others go on for some milliseconds after the signal.
func halt(t *testing.T, pid int) {
	t.Helper()
	expect.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	var status syscall.WaitStatus
	_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
	for errors.Is(err, syscall.EINTR) {
		_, err = syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
	}
	expect.NoError(t, err)
	if !status.Stopped() {
		t.Fatalf("process %d has ended instead of stopping: %v", pid, status)
	}
}

// etcds returns the processes of etcd that this process has started.
func etcds(t *testing.T) []int {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "pgrep", "-P", strconv.Itoa(os.Getpid()), "-x", "etcd").Output() //nolint:gosec // Its own process.
	expect.NoError(t, err)
	var all []int
	for _, field := range strings.Fields(string(output)) {
		pid, err := strconv.Atoi(field)
		expect.NoError(t, err)
		all = append(all, pid)
	}
	return all
}
