package reliability_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// TestLeaderEnds ends the manager that leads, by SIGTERM and by SIGKILL, while another
// waits for the lease, and edits right after it.
func TestLeaderEnds(t *testing.T) {
	ends := []struct {
		what string
		end  func(*testenv.Process) error
	}{
		{"the leader is stopped", (*testenv.Process).Stop},
		{"the leader is killed", func(p *testenv.Process) error { p.Kill(); return nil }},
	}
	if full() == 0 {
		// Nobody can know of a leader that was killed until its lease ends.
		ends = ends[:1]
	}
	w, err := newWorld(t.Context(), standalone, "leader")
	expect.NoError(t, err)
	w.follow(true)
	manager, edits := testenv.BuildManager(t), story()
	leader := startProcess(t, manager, w, w.Config)
	awaitRight(t, w)
	for _, e := range ends {
		next := startProcess(t, manager, w, w.Config)
		next.AwaitLog(t, "Attempting to acquire leader lease")
		lease := leaseOf(t, w)
		if err := e.end(leader); err != nil {
			t.Errorf("%s: %v", e.what, err)
		}
		begin := time.Now()
		for _, edit := range edits[:3] {
			expect.NoError(t, w.do(t.Context(), edit, false))
		}
		edits = edits[3:]
		awaitRight(t, w)
		report("R6", begin, fmt.Sprintf("%s, three edits after it; the lease is for %d s", e.what, *lease.Spec.LeaseDurationSeconds), "right after %s",
			time.Since(begin).Round(100*time.Millisecond))
		if now := leaseOf(t, w); *now.Spec.HolderIdentity == *lease.Spec.HolderIdentity {
			t.Errorf("%s: %s holds the lease still", e.what, *now.Spec.HolderIdentity)
		}
		leader = next
	}
	if err := leader.Stop(); err != nil {
		t.Errorf("the last leader: %v", err)
	}
}

// leaseOf returns the lease that the managers in standalone mode compete for.
func leaseOf(t *testing.T, w *world) *coordinationv1.Lease {
	t.Helper()
	leases := &coordinationv1.LeaseList{}
	expect.NoError(t, w.Client.List(t.Context(), leases))
	for i := range leases.Items {
		if lease := &leases.Items[i]; lease.Namespace == controlplane.Namespace && ptr.Deref(lease.Spec.HolderIdentity, "") != "" {
			return lease
		}
	}
	t.Fatalf("nobody holds a lease in %s", controlplane.Namespace)
	return nil
}

// TestEtcdOutage halts etcd under a process with a lease, so that the API server
// answers nothing but timeouts.
func TestEtcdOutage(t *testing.T) {
	length := 5 * time.Second
	if full() > 0 {
		length = time.Minute
	}
	before := etcds(t)
	plane, err := startStandalone(t.Context())
	expect.NoError(t, err)
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	w, err := newWorld(t.Context(), plane, "etcd")
	expect.NoError(t, err)
	w.follow(true)
	process := startProcess(t, testenv.BuildManager(t), w, w.Config)
	awaitRight(t, w)
	for pid := range etcds(t) {
		if before[pid] {
			continue
		}
		signal(t, pid, syscall.SIGSTOP)
		<-time.After(length)
		signal(t, pid, syscall.SIGCONT)
	}
	begin := time.Now()
	for _, e := range story()[:3] {
		expect.NoError(t, w.do(t.Context(), e, false))
	}
	awaitRight(t, w)
	report("R6", begin, fmt.Sprintf("etcd is away for %s, three edits after it", length), "0 exits, right after %s", time.Since(begin).Round(100*time.Millisecond))
	if err := process.Stop(); err != nil {
		t.Errorf("the manager did not outlast it: %v", err)
	}
}

func signal(t *testing.T, pid int, signal syscall.Signal) {
	t.Helper()
	expect.NoError(t, syscall.Kill(pid, signal))
}

// etcds are the processes of etcd that this one has started.
func etcds(t *testing.T) map[int]bool {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "ps", "-A", "-o", "pid=,ppid=,args=").Output()
	expect.NoError(t, err)
	all := map[int]bool{}
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != strconv.Itoa(os.Getpid()) || !strings.HasSuffix(fields[2], "/etcd") {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		expect.NoError(t, err)
		all[pid] = true
	}
	return all
}
