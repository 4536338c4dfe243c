//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
)

// TestBeside measures, with ToolHive's own operator, that the guard and that
// operator do not disturb each other.
func TestBeside(t *testing.T) {
	if !*long {
		t.Skip("it takes an hour; run it by `make prove SUITE=beside`")
	}
	s := newScenario(t)
	s.installToolHive()
	var without outcome
	s.part("examples-without", func(s *scenario) { without = s.applyExamples() })
	s.installGuard()
	s.part("examples-with", func(s *scenario) { s.sameExamples(without) })
	s.part("held", held)
	s.part("churn", churn)
}

// heldEdit is an edit that slips past the policies on the objects.
type heldEdit struct {
	name string
	// besides are pairs of an old and a new text in the manifests, besides the
	// baseline.
	besides []string
}

// atRest stands for no edit: it shows what is written anyway.
const atRest = "none"

var heldEdits = []heldEdit{
	{name: atRest},
	{name: "baseline"},
	// The name of a provider is part of the names of variables in the environment.
	{"baseline and provider", []string{"name: company", "name: renamed"}},
	{"baseline and proxyPort", []string{"proxyPort: 8080", "proxyPort: 8081", ticketsURL, ticketsURL + "\n  proxyPort: 8081"}},
}

// held counts what ToolHive's operator does while the guard holds run configs:
// failed reconciles, and writes of statuses.
func held(s *scenario) {
	s.requireHold()
	s.mode(guard.ModeDeny)
	s.letSlip()
	for _, edit := range heldEdits {
		s.part(strings.ReplaceAll(edit.name, " ", "-"), func(s *scenario) { s.countHeld(edit) })
	}
}

// editFor is enough time for the immediate effects of an edit. heldFor is how long
// the edit is then held.
const (
	editFor = 10 * time.Second
	heldFor = 5 * time.Minute
)

func (s *scenario) countHeld(edit heldEdit) {
	s.goodWorkloads()
	pods, revisions := s.demoPods(), s.revisions()
	stored, stop := s.countStored()
	defer stop()
	before := s.costs(stored)
	if edit.name != atRest {
		s.applyChanged("", "toolhive/*.yaml", append([]string{baseline, baseline + ", " + badScope}, edit.besides...)...)
		s.awaitHeld()
	}
	pause(editFor)
	start := s.costs(stored)
	pause(heldFor)
	end := s.costs(stored)
	fmt.Printf("\n%-36s %-24s %8s %8s %8s %8s %8s\n", "edit", "workload", "failed", "requeued", "requests", "stored", "guard's")
	for _, w := range workloads {
		start[w.name].minus(before[w.name]).print(edit.name+", at first", w.object, 1)
		held := end[w.name].minus(start[w.name])
		held.print(edit.name+", in a minute", w.object, heldFor.Minutes())
		if held.failed > 0 {
			s.Errorf("while the edit was held, %v reconciles of %s failed", held.failed, w.object)
		}
	}
	s.kubectl(demo, "get", "configmaps", "--selector", heldConfigMaps)
	s.kubectl(demo, "get", "deployments,replicasets,pods,services")
	if len(edit.besides) == 0 {
		s.samePods(pods)
		if diff := cmp.Diff(revisions, s.revisions()); diff != "" {
			s.Errorf("a Deployment has rolled (-want +got):\n%s", diff)
		}
	}
	s.repair(len(edit.besides) == 0)
}

// repair gives the configs a good baseline that differs from the first one. If
// nothing else was edited, each workload must roll once.
func (s *scenario) repair(alone bool) {
	s.Helper()
	before, revisions := map[string]string{}, s.revisions()
	for _, w := range workloads {
		config, err := s.configMap(w)
		s.must(err)
		before[w.name] = fmt.Sprint(config.Data)
		revisions[w.name]++
	}
	begin := time.Now()
	s.applyChanged("", "toolhive/*.yaml", baseline, baseline+", profile")
	s.awaitRolled(func(w workload, config corev1.ConfigMap) bool { return fmt.Sprint(config.Data) != before[w.name] })
	timed(begin, "all run from the repaired config")
	s.wantHeld()
	if diff := cmp.Diff(revisions, s.revisions()); alone && diff != "" {
		s.Errorf("the Deployments did not roll once (-want +got):\n%s", diff)
	}
}

func pause(duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}

// cost counts the failed and the requeued reconciles of a workload's kind, and its
// requests to write a status. It also counts the writes that changed the workload:
// the guard's condition, or anything else.
type cost struct{ failed, requeued, requests, stored, guards float64 }

func (c cost) minus(before cost) cost {
	return cost{c.failed - before.failed, c.requeued - before.requeued, c.requests - before.requests, c.stored - before.stored, c.guards - before.guards}
}

func (c cost) print(edit, workload string, minutes float64) {
	fmt.Printf("%-36s %-24s %8.2f %8.2f %8.2f %8.2f %8.2f\n", edit, workload, c.failed/minutes, c.requeued/minutes, c.requests/minutes, c.stored/minutes, c.guards/minutes)
}

// costs reads the reconciles of each workload's kind from the operator's metrics,
// and everybody's writes of statuses from the API server's metrics.
func (s *scenario) costs(stored map[string]*writes) map[string]cost {
	s.Helper()
	pods, err := s.clientset.CoreV1().Pods("toolhive-system").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=toolhive-operator"})
	s.must(err)
	if len(pods.Items) != 1 {
		s.Fatalf("ToolHive's operator has %d pods, want one", len(pods.Items))
	}
	operator := s.metrics("/api/v1/namespaces/toolhive-system/pods/" + pods.Items[0].Name + ":8080/proxy/metrics")
	apiServer := s.metrics("/metrics")
	costs := map[string]cost{}
	for _, w := range workloads {
		kind, _, _ := strings.Cut(w.object, "/")
		controller, resource := fmt.Sprintf("controller=%q", kind), fmt.Sprintf("resource=%q", plural[kind])
		c := cost{
			failed:   sum(operator, "controller_runtime_reconcile_total{", controller, `result="error"`),
			requeued: sum(operator, "controller_runtime_reconcile_total{", controller, `result="requeue"`),
			stored:   float64(stored[w.name].others.Load()), guards: float64(stored[w.name].guards.Load()),
		}
		for _, verb := range []string{"PUT", "PATCH", "APPLY"} {
			c.requests += sum(apiServer, "apiserver_request_total{", ","+resource, `subresource="status"`, fmt.Sprintf("verb=%q", verb))
		}
		costs[w.name] = c
	}
	return costs
}

var plural = map[string]string{"mcpserver": "mcpservers", "mcpremoteproxy": "mcpremoteproxies", "virtualmcpserver": "virtualmcpservers"}

func (s *scenario) metrics(path string) string {
	s.Helper()
	text, err := s.clientset.RESTClient().Get().AbsPath(path).DoRaw(ctx)
	s.must(err)
	return string(text)
}

// sum adds the series of a metric that have all the labels.
func sum(metrics, name string, labels ...string) float64 {
	total := 0.0
	for line := range strings.Lines(metrics) {
		if !strings.HasPrefix(line, name) || slices.ContainsFunc(labels, func(label string) bool { return !strings.Contains(line, label) }) {
			continue
		}
		fields := strings.Fields(line)
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			panic(line)
		}
		total += value
	}
	return total
}

// writes counts the writes that changed an object: the guard's entry, and
// anything else.
type writes struct{ guards, others atomic.Int64 }

// countStored counts the writes of each workload from now on.
func (s *scenario) countStored() (map[string]*writes, func()) {
	s.Helper()
	counting, stop := context.WithCancel(ctx)
	counts := map[string]*writes{}
	for _, w := range workloads {
		kind, _, _ := strings.Cut(w.object, "/")
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(kinds[kind] + "List"))
		watcher, err := s.client.Watch(counting, list, client.InNamespace(demo), client.MatchingFields{"metadata.name": w.name})
		s.must(err)
		count := &writes{}
		counts[w.name] = count
		go func() {
			var last *unstructured.Unstructured
			for event := range watcher.ResultChan() {
				object, ok := event.Object.(*unstructured.Unstructured)
				switch {
				case !ok:
					continue
				case last != nil && fmt.Sprint(entry(last)) != fmt.Sprint(entry(object)):
					count.guards.Add(1)
				case last != nil:
					count.others.Add(1)
				}
				last = object
			}
		}()
	}
	return counts, stop
}
