package guardmode_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testenv"
)

// awaitEvent waits for an event about an object whose note contains a text.
func awaitEvent(t *testing.T, namespace, object, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), awaitTimeout)
	defer cancel()
	watcher, err := cluster.Client.Watch(ctx, &eventsv1.EventList{}, client.InNamespace(namespace))
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	var seen []string
	for change := range watcher.ResultChan() {
		event, ok := change.Object.(*eventsv1.Event)
		if !ok || change.Type == watch.Deleted || event.Regarding.Name != object {
			continue
		}
		if seen = append(seen, event.Reason+": "+event.Note); strings.Contains(event.Reason+": "+event.Note, text) {
			return
		}
	}
	t.Fatalf("no event about %s/%s says %q; there are:\n%s", namespace, object, text, strings.Join(seen, "\n"))
}

// TestStandsDown lets somebody else write the condition: with a reason that
// scopegate does not have, and by replacing scopegate's own again and again.
func TestStandsDown(t *testing.T) {
	for name, rival := range map[string]struct {
		text   func(round int) metav1.Condition
		rounds int
		// first tells whether it wrote before scopegate came.
		first bool
	}{
		"another reason": {text: func(int) metav1.Condition { return condition("BaselineScopesValid", "AllGood") }, rounds: 1},
		"again and again": {text: func(round int) metav1.Condition {
			other := condition("BaselineScopesValid", "BaselineScopesSupported")
			other.Message = fmt.Sprintf("by somebody else, %d", round)
			return other
		}, rounds: 3},
		"with what was there before": {text: func(int) metav1.Condition { return condition("BaselineScopesValid", "BaselineScopesSupported") }, rounds: 100, first: true},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := cluster.Namespace(t)
			config := testenv.Config(namespace, "shared", "admin")
			server := testenv.Server(namespace, "web", testenv.AuthServerRef("shared", "openid"))
			create(t, config, server)
			if rival.first {
				writeAll(t, config, rival.text(0))
			}
			cluster.StartGuard(t)
			t.Cleanup(func() {
				// Else the next manager stands down at its sight.
				if err := cluster.Client.Delete(context.Background(), config); err != nil {
					t.Error(err)
				}
			})
			for round := range rival.rounds {
				await(t, config, "is judged", is("False", notSupported))
				writeAll(t, config, rival.text(round))
			}
			awaitEvent(t, namespace, "shared", "GuardStoodDown")

			// Another kind is still judged, and after it nothing more came.
			server.Spec.OIDCConfigRef.Scopes = []string{"admin"}
			server.SetManagedFields(nil)
			server.SetResourceVersion("")
			if err := cluster.Client.Patch(t.Context(), server, client.Merge); err != nil {
				t.Fatal(err)
			}
			await(t, server, "is judged", is("True", "BaselineScopesSupported"))
			want := rival.text(rival.rounds - 1)
			await(t, config, "is left alone", func(c metav1.Condition) bool { return c.Message == want.Message })
		})
	}
}
