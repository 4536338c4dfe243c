package testenv

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/operator"
)

// awaitTimeout limits waits that take milliseconds, sometimes after the start of
// a manager. It allows for a busy machine.
const awaitTimeout = 2 * time.Minute

// Await watches an object until ok returns true, and returns it. It also calls ok
// for the object as it is stored when Await starts, and waits for an object that does
// not exist yet. After two minutes it fails the test and shows the last version of the
// object.
func Await[T client.Object](t testing.TB, c client.WithWatch, object T, what string, ok func(T) bool) T {
	t.Helper()
	last, err := await(t.Context(), c, object, func(found bool, last T) bool { return found && ok(last) })
	if err != nil {
		text, _ := yaml.Marshal(last)
		t.Fatalf("waiting until %s %s: %v; last seen:\n%s", client.ObjectKeyFromObject(object), what, err, text)
	}
	return last
}

// AwaitGone watches an object until it no longer exists.
func AwaitGone[T client.Object](t testing.TB, c client.WithWatch, object T) {
	t.Helper()
	if _, err := await(t.Context(), c, object, func(found bool, _ T) bool { return !found }); err != nil {
		t.Fatalf("waiting until %s is gone: %v", client.ObjectKeyFromObject(object), err)
	}
}

func await[T client.Object](ctx context.Context, c client.WithWatch, object T, done func(found bool, last T) bool) (last T, err error) {
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	list, err := listOf(object)
	if err != nil {
		return last, err
	}
	options := []client.ListOption{client.InNamespace(object.GetNamespace()), client.MatchingFields{"metadata.name": object.GetName()}}
	for {
		// A watch alone may begin with an object from before the last write.
		if err := c.List(ctx, list, options...); err != nil {
			return last, err
		}
		stored, err := meta.ExtractList(list)
		if err != nil {
			return last, err
		}
		if len(stored) == 1 {
			last = stored[0].(T)
		}
		if done(len(stored) == 1, last) {
			return last, nil
		}
		later := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
		watcher, err := c.Watch(ctx, list, append(options, later)...)
		if err != nil {
			return last, err
		}
		for event := range watcher.ResultChan() {
			seen, isObject := event.Object.(T)
			if !isObject {
				break
			}
			last = seen
			if done(event.Type != watch.Deleted, last) {
				watcher.Stop()
				return last, nil
			}
		}
		watcher.Stop()
		if ctx.Err() != nil {
			return last, ctx.Err()
		}
	}
}

func listOf(object client.Object) (client.ObjectList, error) {
	gvk, err := apiutil.GVKForObject(object, operator.Scheme)
	if err != nil {
		return nil, err
	}
	gvk.Kind += "List"
	list, err := operator.Scheme.New(gvk)
	if err != nil {
		return nil, fmt.Errorf("no list of %T: %w", object, err)
	}
	return list.(client.ObjectList), nil
}

// Condition returns a condition by type, or an empty one if there is none.
func Condition(conditions []metav1.Condition, conditionType string) metav1.Condition {
	if condition := meta.FindStatusCondition(conditions, conditionType); condition != nil {
		return *condition
	}
	return metav1.Condition{}
}
