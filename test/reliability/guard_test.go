package reliability_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// toolHive simulates ToolHive's operator, as far as the guard sees it: it keeps
// a condition of its own beside scopegate's, and creates pods.
type toolHive struct {
	writes int
	// ready is the last message of its condition, by object.
	ready map[types.UID]string
	// read are the conditions in its cache, by object.
	read map[types.UID][]metav1.Condition
	// late counts its writes from a stale cache, by object.
	late map[types.UID]int
}

func newToolHive() toolHive {
	return toolHive{ready: map[types.UID]string{}, read: map[types.UID][]metav1.Condition{}, late: map[types.UID]int{}}
}

// mostLateWrites limits how often ToolHive's operator writes an old condition of
// scopegate's over a newer one of the same object. Without a limit the guard would
// reach its own limit of writes, see internal/guard/writer.
const mostLateWrites = 10

// writesStatus returns a write of ToolHive's operator, with the conditions in
// its cache: the current ones, or those before its last write.
func writesStatus(key string, late bool) edit {
	return edit{fmt.Sprintf("ToolHive's operator writes the status of %s (cache is late: %t)", key, late), func(ctx context.Context, w *world) error {
		if w.objects[key] == nil || key == "oidc" {
			return nil
		}
		for {
			now := w.objects[key].DeepCopyObject().(kinds.Object)
			if err := w.Client.Get(ctx, client.ObjectKeyFromObject(now), now); err != nil {
				return err
			}
			err := w.toolHive.write(ctx, w.Client, now, key, late)
			if !apierrors.IsConflict(err) {
				return err
			}
		}
	}}
}

func (t *toolHive) write(ctx context.Context, c client.Client, now kinds.Object, key string, late bool) error {
	uid, conditions := now.GetUID(), now.GetStatus().DeepCopy().Conditions
	// The API server rejects a full update from a stale cache, but not a merge
	// patch.
	patches := key == "a" || key == "b" || key == "virtual"
	if old, known := t.read[uid]; late && patches && known && t.late[uid] < mostLateWrites {
		t.late[uid]++
		conditions = old
	}
	t.read[uid] = now.GetStatus().DeepCopy().Conditions
	t.writes++
	said := fmt.Sprintf("written %d times", t.writes)
	meta.SetStatusCondition(&conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Ready", Message: said})
	if !patches {
		now.GetStatus().Conditions = conditions
		err := c.Status().Update(ctx, now, client.FieldOwner("thv-operator"))
		if err == nil {
			t.ready[uid] = said
		}
		return err
	}
	t.ready[uid] = said
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": conditions}})
	if err != nil {
		return err
	}
	return c.Status().Patch(ctx, now, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("thv-operator"))
}

// createsPod creates a pod of a consumer, as ToolHive's Deployment does. It must be
// refused if the condition that the manager has written is False for the consumer's
// generation, and only then. A policy reads the consumer from a cache of the API
// server, so createsPod waits until the answer fits a consumer that stays unchanged.
func createsPod(key string) edit {
	return edit{"a pod of " + key + " is created", func(ctx context.Context, w *world) error {
		if w.objects[key] == nil {
			return nil
		}
		read := func() (kinds.Object, error) {
			consumer := w.objects[key].DeepCopyObject().(kinds.Object)
			return consumer, w.Client.Get(ctx, client.ObjectKeyFromObject(consumer), consumer)
		}
		var answer error
		err := wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			before, err := read()
			if err != nil {
				return false, err
			}
			answer = w.Client.Create(ctx, setup.Pod(before), client.DryRunAll)
			after, err := read()
			refusal, refused := setup.AsRefusal(answer)
			if answer != nil && !refused || err != nil {
				return false, errors.Join(answer, err)
			}
			entry := meta.FindStatusCondition(after.GetStatus().Conditions, v1alpha1.ConditionBaselineScopesValid)
			bad := entry != nil && entry.Status == metav1.ConditionFalse && entry.ObservedGeneration == after.GetGeneration()
			return before.GetResourceVersion() == after.GetResourceVersion() && refused == bad &&
				(!bad || strings.HasSuffix(refusal.Message, entry.Message)), nil
		})
		if err != nil {
			return fmt.Errorf("creating a pod of %s: %w; the last answer: %w", key, err, answer)
		}
		return nil
	}}
}

// anEditBesideToolHive returns a random edit of a user, or a write of
// ToolHive's operator.
func anEditBesideToolHive(random *rand.Rand) edit {
	return oneOf(random, append(edits(random),
		weighted{8, func() edit { return writesStatus(pick(random, allKeys), random.Intn(2) == 0) }},
		weighted{6, func() edit { return createsPod(pick(random, consumerKeys)) }}))
}

// wrongEntry describes an object on which scopegate's condition is wrong, or
// ToolHive's condition is not as its operator wrote it. It returns "" if there is
// none.
func wrongEntry(w *world) string {
	for key, object := range w.objects {
		if key == "oidc" {
			continue
		}
		got := object.DeepCopyObject().(kinds.Object)
		if err := w.seen.Get(context.Background(), client.ObjectKeyFromObject(object), got); err != nil {
			return fmt.Sprintf("%s: %v", key, err)
		}
		if got.GetUID() != object.GetUID() || got.GetGeneration() != object.GetGeneration() {
			return key + " is not seen yet as it was edited last"
		}
		conditions := got.GetStatus().Conditions
		if ready := testenv.Condition(conditions, v1alpha1.ConditionReady); ready.Message != w.toolHive.ready[got.GetUID()] {
			return fmt.Sprintf("%s has the condition of ToolHive's %+v, want %q", key, ready, w.toolHive.ready[got.GetUID()])
		}
		entry := meta.FindStatusCondition(conditions, v1alpha1.ConditionBaselineScopesValid)
		want := w.entry(object)
		if (want == nil) != (entry == nil) {
			return fmt.Sprintf("%s has the condition %+v, want %+v", key, entry, want)
		}
		if want != nil && (entry.Status != want.Status || entry.Reason != want.Reason || entry.Message != want.Message || entry.ObservedGeneration != got.GetGeneration()) {
			return fmt.Sprintf("%s has the condition %+v, want %+v", key, entry, want)
		}
	}
	return ""
}

// entry returns the condition that an object must have, if any.
func (w *world) entry(object client.Object) *metav1.Condition {
	return meta.FindStatusCondition(w.model.conditions(w.objects, object), v1alpha1.ConditionBaselineScopesValid)
}

// storyBesideToolHive is the user's story, and what ToolHive's operator writes
// meanwhile.
func storyBesideToolHive() []edit {
	return []edit{
		writesStatus("a", false), writesStatus("web", false), writesStatus("virtual", false),
		setBaseline("a", []string{"openid", "admin"}, nil), // web and proxy are not supported
		writesStatus("a", true),                            // the entry is as before
		createsPod("web"), setScopes("web", []string{"openid", "admin"}), createsPod("web"),
		writesStatus("web", false),
		setReference("proxy", false, "b"),
		setBaseline("b", []string{"openid"}, nil),
		setReference("api", true, ""), setReference("api", true, "b"),
		setReference("api", false, "a"), setReference("api", false, ""),
		setInline(true, []string{"admin"}), createsPod("virtual"), writesStatus("virtual", true),
		setInline(false, nil), // no entry
		writesStatus("virtual", true),
		setType("b"), toggle("b"), toggle("b"),
		recreate("web"), toggle("a"),
	}
}

// TestGuardCrashes ends the manager before and after each of its writes, in guard
// mode.
func TestGuardCrashes(t *testing.T) {
	crashes(t, guarded, "R2, guard mode", [][]edit{storyBesideToolHive()}, 9)
}
