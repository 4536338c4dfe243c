package churn

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard/condition"
)

var kinds = []string{"MCPExternalAuthConfig", "MCPServer", "MCPRemoteProxy", "VirtualMCPServer"}

// calm is for how long no object may change its conditions until both operators
// count as done.
const calm = 5 * time.Second

// observer sees every revision of every object, in order. What is to be known of
// a revision's writer is asked when all is over: the watch may be faster than
// the answer to the write.
type observer struct {
	mu         sync.Mutex
	wire       *wire
	revisions  map[string][]revision
	edits      map[string][]edited
	lastChange time.Time
}

type revision struct {
	at     time.Time
	object *unstructured.Unstructured
}

type edited struct {
	at         time.Time
	generation int64
}

func observe(ctx context.Context, c client.WithWatch, namespace string, wire *wire) (*observer, error) {
	o := &observer{wire: wire, revisions: map[string][]revision{}, edits: map[string][]edited{}}
	for _, kind := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(kind + "List"))
		watcher, err := c.Watch(ctx, list, client.InNamespace(namespace))
		if err != nil {
			return nil, fmt.Errorf("watching every %s: %w", kind, err)
		}
		go func() {
			defer watcher.Stop()
			for event := range watcher.ResultChan() {
				if object, ok := event.Object.(*unstructured.Unstructured); ok && event.Type != watch.Bookmark {
					o.saw(object)
				}
			}
		}()
	}
	return o, nil
}

func key(object *unstructured.Unstructured) string { return object.GetKind() + "/" + object.GetName() }

func (o *observer) saw(object *unstructured.Unstructured) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	past := o.revisions[key(object)]
	if len(past) == 0 || !reflect.DeepEqual(conditions(past[len(past)-1].object), conditions(object)) {
		o.lastChange = now
	}
	o.revisions[key(object)] = append(past, revision{now, object})
}

// edited remembers an edit that made a generation.
func (o *observer) edited(object *unstructured.Unstructured) {
	o.mu.Lock()
	defer o.mu.Unlock()
	past := o.edits[key(object)]
	if len(past) == 0 || past[len(past)-1].generation < object.GetGeneration() {
		o.edits[key(object)] = append(past, edited{time.Now(), object.GetGeneration()})
	}
}

// settle waits until no condition changes.
func (o *observer) settle(ctx context.Context) error {
	err := poll(ctx, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return time.Since(o.lastChange) > calm
	})
	if err != nil {
		return fmt.Errorf("waiting until no condition changes: %w", err)
	}
	return nil
}

// await waits until the last revision of every object is accepted.
func (o *observer) await(ctx context.Context, ok func(*unstructured.Unstructured) bool) error {
	var missing []string
	err := poll(ctx, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		missing = nil
		for name, past := range o.revisions {
			if !ok(past[len(past)-1].object) {
				missing = append(missing, name)
			}
		}
		return len(o.revisions) > 0 && len(missing) == 0
	})
	if err != nil {
		return fmt.Errorf("waiting for %q: %w", missing, err)
	}
	return nil
}

// allJudged is that the condition is of the object's generation.
func allJudged(object *unstructured.Unstructured) bool {
	found := entry(object)
	return found != nil && generationOf(found) == object.GetGeneration()
}

// writesOfOthers counts the revisions by anybody but the guard that leave the
// spec as it is.
func (o *observer) writesOfOthers() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	count := 0
	for _, past := range o.revisions {
		for i, revision := range past[1:] {
			if past[i].object.GetGeneration() == revision.object.GetGeneration() && !o.wire.made(revision.object.GetResourceVersion()) {
				count++
			}
		}
	}
	return count
}

// report adds what the revisions tell.
func (o *observer) report(result *Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, past := range o.revisions {
		o.reportObject(name, past, result)
		for _, edit := range o.edits[name] {
			told := slices.IndexFunc(past, func(r revision) bool {
				found := entry(r.object)
				return found != nil && generationOf(found) >= edit.generation
			})
			if told >= 0 {
				result.Told = append(result.Told, max(0, past[told].at.Sub(edit.at)))
			}
		}
	}
}

func (o *observer) reportObject(name string, past []revision, result *Result) {
	var lostAt time.Time
	var lost map[string]any
	for i := 1; i < len(past); i++ {
		before, after := past[i-1].object, past[i].object
		was, is := entry(before), entry(after)
		if o.byGuard(before, after) {
			result.EntryChanges++
			if !reflect.DeepEqual(withoutEntry(before), withoutEntry(after)) {
				result.Touched = append(result.Touched, fmt.Sprintf("%s at %s", name, after.GetResourceVersion()))
			}
		} else if was != nil && !reflect.DeepEqual(was, is) {
			result.Overwritten++
			if lost == nil {
				lostAt, lost = past[i].at, was
			}
		}
		// It is back where it is what it was, or a newer one of the guard's.
		if lost != nil && (reflect.DeepEqual(lost, is) || is != nil && o.byGuard(before, after)) {
			result.Back = append(result.Back, past[i].at.Sub(lostAt))
			lost = nil
		}
	}
}

// byGuard tells whether the guard made a revision. The API server answers a write
// that changes nothing with the revision that there is, so that its number alone
// does not tell: somebody else may have made it.
func (o *observer) byGuard(before, after *unstructured.Unstructured) bool {
	return o.wire.made(after.GetResourceVersion()) && !reflect.DeepEqual(entry(before), entry(after)) && !othersWrote(before, after)
}

// othersWrote tells by the times in the records of who owns which fields whether
// somebody else made a revision. A write of the guard's takes fields out of other
// records, and leaves their times.
func othersWrote(before, after *unstructured.Unstructured) bool {
	return slices.ContainsFunc(after.GetManagedFields(), func(record metav1.ManagedFieldsEntry) bool {
		return record.Manager != condition.FieldManager && !slices.ContainsFunc(before.GetManagedFields(), func(old metav1.ManagedFieldsEntry) bool {
			return old.Manager == record.Manager && old.Operation == record.Operation && old.Subresource == record.Subresource && old.Time.Equal(record.Time)
		})
	})
}

func conditions(object *unstructured.Unstructured) []any {
	list, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	return list
}

func entry(object *unstructured.Unstructured) map[string]any {
	for _, item := range conditions(object) {
		if found, ok := item.(map[string]any); ok && found["type"] == condition.Type {
			return found
		}
	}
	return nil
}

func generationOf(entry map[string]any) int64 {
	generation, _ := entry["observedGeneration"].(int64)
	return generation
}

// withoutEntry is an object without the guard's condition, and without what
// every write changes.
func withoutEntry(object *unstructured.Unstructured) map[string]any {
	rest := object.DeepCopy()
	rest.SetResourceVersion("")
	rest.SetManagedFields(nil)
	others := slices.DeleteFunc(conditions(rest), func(item any) bool {
		found, ok := item.(map[string]any)
		return ok && found["type"] == condition.Type
	})
	if len(others) == 0 {
		unstructured.RemoveNestedField(rest.Object, "status", "conditions")
	} else {
		_ = unstructured.SetNestedSlice(rest.Object, others, "status", "conditions")
	}
	if status, found, _ := unstructured.NestedMap(rest.Object, "status"); found && len(status) == 0 {
		unstructured.RemoveNestedField(rest.Object, "status")
	}
	return rest.Object
}
