//go:build e2e

package e2e

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
)

type history struct {
	mu         sync.Mutex
	revisions  map[string][]revision
	lastChange time.Time
}

type revision struct {
	at time.Time
	*unstructured.Unstructured
}

// window is a time in which nothing was edited.
type window struct{ from, to time.Time }

// watchRevisions watches the four kinds.
func (s *scenario) watchRevisions() *history {
	s.Helper()
	h := &history{revisions: map[string][]revision{}}
	for _, kind := range []string{"MCPExternalAuthConfig", "MCPServer", "MCPRemoteProxy", "VirtualMCPServer"} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(kind + "List"))
		watcher, err := s.client.Watch(ctx, list, client.InNamespace(churnNamespace))
		s.must(err)
		go func() {
			for event := range watcher.ResultChan() {
				if object, ok := event.Object.(*unstructured.Unstructured); ok && event.Type != watch.Deleted {
					h.saw(object)
				}
			}
		}()
	}
	return h
}

func keyOf(object *unstructured.Unstructured) string {
	return object.GetKind() + "/" + object.GetName()
}

func (h *history) saw(object *unstructured.Unstructured) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastChange = time.Now()
	h.revisions[keyOf(object)] = append(h.revisions[keyOf(object)], revision{h.lastChange, object})
}

// settled returns an error unless nothing has changed for five seconds.
func (h *history) settled() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since := time.Since(h.lastChange); since < 5*time.Second {
		return fmt.Errorf("something changed %s ago", since)
	}
	return nil
}

func (h *history) current() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, revisions := range h.revisions {
		if last := revisions[len(revisions)-1]; observed(last) != last.GetGeneration() {
			return fmt.Errorf("the condition of %s is of generation %d, not %d", name, observed(last), last.GetGeneration())
		}
	}
	return nil
}

// quiet waits for churnQuiet while nothing is edited, and returns that window.
func (h *history) quiet() window {
	from := time.Now()
	pause(churnQuiet)
	return window{from, time.Now()}
}

// churnReport is what the revisions show.
type churnReport struct {
	writes int
	// overwritten is how often ToolHive's operator removed the entry or replaced
	// it by an old one. back are the times until it was back.
	overwritten int
	back        []time.Duration
	// delays are the times from each edit to the condition of its generation.
	delays []time.Duration
	// touched lists the guard's writes that changed something beside its entry.
	touched []string
	// guards and others are the times of the guard's writes, and of those of anybody
	// else that leave the spec as it is.
	guards, others []time.Time
}

func in(times []time.Time, w window) int {
	return len(slices.DeleteFunc(slices.Clone(times), func(at time.Time) bool { return at.Before(w.from) || at.After(w.to) }))
}

func (r *churnReport) guardsIn(w window) int { return in(r.guards, w) }
func (r *churnReport) othersIn(w window) int { return in(r.others, w) }

// report evaluates the revisions at the end, because a watch may be faster than
// the response to the write. bases maps the resource version that a write of the
// guard created to the one that it was based on.
func (h *history) report(bases map[string]string, edits []edit) *churnReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	report := &churnReport{}
	for name, revisions := range h.revisions {
		report.add(name, revisions, bases)
	}
	for _, edit := range edits {
		revisions := h.revisions[edit.object]
		first := slices.IndexFunc(revisions, func(r revision) bool { return observed(r) >= edit.generation })
		if first >= 0 {
			report.delays = append(report.delays, max(0, revisions[first].at.Sub(edit.at)))
		}
	}
	return report
}

func (r *churnReport) add(name string, revisions []revision, bases map[string]string) {
	var lostAt time.Time
	var lost map[string]any
	for i, after := range revisions[1:] {
		before := revisions[i]
		was, is := entry(before.Unstructured), entry(after.Unstructured)
		base, byGuard := bases[after.GetResourceVersion()]
		switch {
		case byGuard:
			r.writes++
			r.guards = append(r.guards, after.at)
			if base != before.GetResourceVersion() || !reflect.DeepEqual(withoutEntry(before), withoutEntry(after)) {
				r.touched = append(r.touched, fmt.Sprintf("%s at %s", name, after.GetResourceVersion()))
			}
		case before.GetGeneration() == after.GetGeneration():
			r.others = append(r.others, after.at)
		}
		if !byGuard && was != nil && !reflect.DeepEqual(was, is) {
			r.overwritten++
			if lost == nil {
				lostAt, lost = after.at, was
			}
		}
		// The entry is back if it is the lost one, or a newer one of the
		// guard's.
		if lost != nil && (reflect.DeepEqual(lost, is) || is != nil && byGuard) {
			r.back = append(r.back, after.at.Sub(lostAt))
			lost = nil
		}
	}
}

func entry(object *unstructured.Unstructured) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, condition := range conditions {
		if found, ok := condition.(map[string]any); ok && found["type"] == "BaselineScopesValid" {
			return found
		}
	}
	return nil
}

func observed(object revision) int64 {
	generation, _ := entry(object.Unstructured)["observedGeneration"].(int64)
	return generation
}

// withoutEntry returns an object without the guard's condition, and without
// what every write changes.
func withoutEntry(object revision) map[string]any {
	rest := object.DeepCopy()
	rest.SetResourceVersion("")
	rest.SetManagedFields(nil)
	conditions, _, _ := unstructured.NestedSlice(rest.Object, "status", "conditions")
	conditions = slices.DeleteFunc(conditions, func(condition any) bool {
		found, ok := condition.(map[string]any)
		return ok && found["type"] == "BaselineScopesValid"
	})
	unstructured.RemoveNestedField(rest.Object, "status", "conditions")
	if len(conditions) > 0 {
		_ = unstructured.SetNestedSlice(rest.Object, conditions, "status", "conditions")
	}
	if status, _, _ := unstructured.NestedMap(rest.Object, "status"); len(status) == 0 {
		unstructured.RemoveNestedField(rest.Object, "status")
	}
	return rest.Object
}
