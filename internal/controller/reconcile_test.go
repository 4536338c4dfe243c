package controller

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/fixtures"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// empty is a cache without objects.
type empty struct{ client.Reader }

func (empty) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// forgetting notes which objects are forgotten. Each of its writes succeeds.
type forgetting struct{ keys []client.ObjectKey }

func (*forgetting) Write(context.Context, kinds.Object, []metav1.Condition) (bool, error) {
	return true, nil
}

func (f *forgetting) Forget(key client.ObjectKey) { f.keys = append(f.keys, key) }

// TestGoneIsForgotten reconciles objects that no longer exist.
func TestGoneIsForgotten(t *testing.T) {
	key := client.ObjectKey{Namespace: "ns", Name: "gone"}
	conditions := &forgetting{}
	l, w := lookup{Reader: empty{}}, writer{conditions: conditions}
	for _, reconciler := range []reconcile.Reconciler{&configReconciler{l, w}, &guardConsumerReconciler{l, w, kinds.Consumers[0]}} {
		_, err := reconciler.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
		expect.NoError(t, err)
	}
	expect.Equal(t, "forgotten", []client.ObjectKey{key, key}, conditions.keys)
}

// full is a cache that has every object.
type full struct{ client.Reader }

func (full) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return nil
}

// TestConflictIsNoFailure lets another write be quicker than a rollout. Ready stays as it is.
func TestConflictIsNoFailure(t *testing.T) {
	server, config := sample.Server("ns", "web", sample.AuthServerRef("shared", "openid")), sample.Config("ns", "shared", "openid")
	server.Status.Conditions = condition.RolloutProgress(true, "1 of 1")
	scheme := runtime.NewScheme()
	expect.NoError(t, v1beta1.AddToScheme(scheme))
	unused, err := client.NewWithWatch(&rest.Config{}, client.Options{Scheme: scheme})
	expect.NoError(t, err)
	busy := interceptor.NewClient(unused, interceptor.Funcs{
		Get: func(ctx context.Context, _ client.WithWatch, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
			if _, owner := object.(*v1beta1.MCPServer); owner {
				return nil
			}
			return empty{}.Get(ctx, key, object)
		},
		Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
			return apierrors.NewAlreadyExists(schema.GroupResource{}, object.GetName())
		},
	})
	r := &standaloneConsumerReconciler{lookup: lookup{Reader: full{}}, applier: &rollout.Applier{Client: busy, Live: busy}}
	conditions, err := r.rollOut(t.Context(), server, sample.Pair(server, config))
	expect.Equal(t, "a conflict", true, apierrors.IsConflict(err))
	expect.Equal(t, "conditions", server.Status.Conditions, conditions)
}

var update = flag.Bool("update", false, "write the golden file anew")

// said returns the lines of the log and the events when conditions replace older ones, sorted.
func said(t *testing.T, older, newer []metav1.Condition) (lines []string) {
	t.Helper()
	server := sample.Server("ns", "web", v1alpha1.AuthReferences{})
	server.Status.Conditions = older
	recorder := events.NewFakeRecorder(10)
	logger := funcr.New(func(_, line string) { lines = append(lines, "log "+line) }, funcr.Options{})
	expect.NoError(t, writer{conditions: &forgetting{}, recorder: recorder}.write(log.IntoContext(t.Context(), logger), server, newer))
	for len(recorder.Events) > 0 {
		lines = append(lines, "event "+<-recorder.Events)
	}
	return slices.Sorted(slices.Values(lines))
}

// TestTransitions compares what is logged and recorded of every situation of standalone mode:
// of a new object, of one that was rolled out or not supported, and of one that stays as it
// is. Where Ready repeats the reason of the verdict, both are logged, and one has an event.
func TestTransitions(t *testing.T) {
	conditions := map[string][]metav1.Condition{}
	for _, row := range fixtures.All() {
		if name, found := strings.CutPrefix(row.Name, "standalone/"); found {
			status := v1alpha1.Status{}
			expect.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(row.Object.Object["status"].(map[string]any), &status))
			conditions[name] = status.Conditions
		}
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		reversed := slices.Clone(conditions[name])
		slices.Reverse(reversed)
		for _, before := range []string{"new", "MCPServer/rolled out", "MCPServer/not supported", name} {
			lines := said(t, conditions[before], conditions[name])
			expect.Equal(t, name+" in another order", lines, said(t, conditions[before], reversed))
			// What is said does not depend on the kind of consumer.
			if !strings.HasPrefix(name, "MCPRemoteProxy") && !strings.HasPrefix(name, "VirtualMCPServer") {
				fmt.Fprintf(&text, "\n%s -> %s\n%s", before, name, strings.Join(append(lines, ""), "\n"))
			}
		}
	}
	expect.Golden(t, *update, "testdata/transitions.txt", text.String())
}

// TestLongMessage checks the limit of the API server on an event, 1,024 bytes.
func TestLongMessage(t *testing.T) {
	long := metav1.Condition{Type: "BaselineScopesValid", Status: "False", Reason: "Long", Message: strings.Repeat("admin ", 500)}
	note := strings.TrimPrefix(said(t, nil, []metav1.Condition{long})[0], "event Warning Long ")
	if len(note) > 1024 || !strings.HasPrefix(note, "admin ") {
		t.Errorf("the note has %d bytes: %s", len(note), note)
	}
}
