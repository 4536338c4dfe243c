package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

const (
	// restObjects is the number of objects, half of which are configs.
	restObjects = 1000
	// settled is how long a manager that has settled reconciles nothing.
	settled = 10 * time.Second
	// atRest is how long the manager is measured.
	atRest = 10 * time.Minute

	auditPolicy = `{"apiVersion":"audit.k8s.io/v1","kind":"Policy","omitStages":["RequestReceived"],"rules":[{"level":"Metadata"}]}`
	metricsAt   = "127.0.0.1:18080"
)

// restBench is P10. It measures the guard's manager, as a process of its own, on
// objects that nobody changes.
func restBench(ctx context.Context) {
	folder := must(os.MkdirTemp("", "scopegate-bench-"))
	defer os.RemoveAll(folder) //nolint:errcheck // A folder of temporary files.
	policy, log := filepath.Join(folder, "policy.json"), filepath.Join(folder, "audit.log")
	check(os.WriteFile(policy, []byte(auditPolicy), 0o600))
	plane, admin := startPlane(ctx, controlplane.Options{Guard: true, CRDs: toolHiveCRDs(), APIServerArgs: map[string]string{
		"audit-policy-file": policy, "audit-log-path": log,
	}})
	defer stop(plane.Stop)
	// The guard is off meanwhile, because its policies would look at every object at
	// each create.
	fleet := &fleet{plane: plane, admin: admin, configs: restObjects / 2, consumers: restObjects / 2}
	fleet.fill(ctx)
	check(setup.SetMode(ctx, admin, namespace, guard.ModeStrict))
	manager := startManager(ctx, plane, folder)
	defer stop(func() error { return end(manager) })
	progress("the manager settles")
	user := plane.ManagerConfig().Impersonate.UserName
	settle(ctx)
	before := scrape(ctx)
	begin := time.Now()
	progress("the manager rests for %v", atRest)
	pause(ctx, atRest)
	after, requests := scrape(ctx), requestsSince(log, user, begin)
	result := newTable(fmt.Sprintf("P10: the guard's manager at rest, %d objects, %v", restObjects, atRest), "measured", "target")
	share := (must(testenv.Sum(after, "process_cpu_seconds_total")) - must(testenv.Sum(before, "process_cpu_seconds_total"))) / time.Since(begin).Seconds()
	result.row("CPU, without the check of the policies", fmt.Sprintf("%.2f %% of a core", share*100), "< 0.1 %")
	result.row("heap in use", fmt.Sprintf("%.0f MiB", must(testenv.Sum(after, "go_memstats_heap_inuse_bytes"))/(1<<20)), "")
	result.row("resident memory", fmt.Sprintf("%.0f MiB", must(testenv.Sum(after, "process_resident_memory_bytes"))/(1<<20)), "")
	for _, request := range slices.Sorted(maps.Keys(requests)) {
		result.row("requests: "+request, fmt.Sprint(requests[request]), "")
	}
	result.print()
}

// startManager runs cmd/manager as the guard, with the rights of its service account,
// and without the check of the policies. The caller ends it.
func startManager(ctx context.Context, plane *controlplane.ControlPlane, folder string) *exec.Cmd {
	path := build(ctx, "github.com/scopegate/scopegate/cmd/manager", folder)
	file := must(clientcmd.LoadFromFile(plane.Kubeconfig))
	user := plane.ManagerConfig().Impersonate
	for _, info := range file.AuthInfos {
		info.Impersonate, info.ImpersonateGroups = user.UserName, user.Groups
	}
	kubeconfig := filepath.Join(folder, "kubeconfig")
	check(clientcmd.WriteToFile(*file, kubeconfig))
	manager := exec.Command(path, "--kubeconfig="+kubeconfig, "--metrics-bind-address="+metricsAt, "--health-probe-bind-address=0", //nolint:gosec // Our own program.
		"--mode=", "--leader-elect", "--leader-election-namespace="+controlplane.Namespace)
	manager.Env = append(os.Environ(), fmt.Sprintf("GOMEMLIMIT=%d", memoryLimit))
	manager.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	manager.Stderr = must(os.Create(filepath.Join(folder, "manager.log"))) //nolint:gosec // A file of the benchmark.
	check(manager.Start())
	return manager
}

func end(manager *exec.Cmd) error {
	return errors.Join(manager.Process.Signal(syscall.SIGTERM), manager.Wait())
}

// scrape returns the manager's metrics, as text.
func scrape(ctx context.Context) string {
	_, text, err := testenv.Fetch(ctx, "http://"+metricsAt+"/metrics", "")
	check(err)
	return text
}

// requestsSince counts what a user asked the API server for, by verb and resource.
func requestsSince(log, user string, begin time.Time) map[string]int {
	file := must(os.Open(log)) //nolint:gosec // The benchmark's own file.
	defer stop(file.Close)
	counts := map[string]int{}
	decoder := json.NewDecoder(bufio.NewReader(file))
	for {
		event := auditv1.Event{}
		err := decoder.Decode(&event)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return counts
		}
		check(err)
		if event.ImpersonatedUser == nil || event.ImpersonatedUser.Username != user || event.RequestReceivedTimestamp.Time.Before(begin) || event.ObjectRef == nil {
			continue
		}
		request := event.Verb + " " + event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			request += "/" + event.ObjectRef.Subresource
		}
		if strings.Contains(event.RequestURI, "dryRun=All") {
			request += ", dry run"
		}
		counts[request]++
	}
}

// settle waits until the manager has reconciled everything.
func settle(ctx context.Context) {
	last := -1.0
	for {
		pause(ctx, settled)
		_, text, err := testenv.Fetch(ctx, "http://"+metricsAt+"/metrics", "")
		if err != nil {
			continue // It does not listen yet.
		}
		// Before the first reconcile there is none.
		if now, err := testenv.Sum(text, "controller_runtime_reconcile_total"); err == nil {
			if now == last {
				return
			}
			last = now
		}
	}
}

func pause(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
		check(ctx.Err())
	case <-time.After(duration):
	}
}
