package controller_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/controller"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) { testenv.Main(m, &cluster, controlplane.Options{}) }

type written struct {
	t        *testing.T
	write    controller.Write
	recorder *events.FakeRecorder
	lines    []string
}

// as ends a reconcile that read object and decided on a reason.
func (w *written) as(object *v1beta1.MCPServer, status metav1.ConditionStatus, reason string) {
	w.t.Helper()
	logger := funcr.New(func(_, line string) { w.lines = append(w.lines, line) }, funcr.Options{})
	condition := metav1.Condition{Type: "BaselineScopesValid", Status: status, Reason: reason}
	if err := w.write(log.IntoContext(w.t.Context(), logger), object, []metav1.Condition{condition}); err != nil {
		w.t.Error(err)
	}
}

// reported returns the reasons in the log and in the events.
func (w *written) reported() (logged, recorded []string) {
	for _, line := range w.lines {
		_, reason, _ := strings.Cut(line, `"reason"=`)
		logged = append(logged, strings.Trim(reason, `"`))
	}
	for len(w.recorder.Events) > 0 {
		logged, reason := "", ""
		_, _ = fmt.Sscan(<-w.recorder.Events, &logged, &reason)
		recorded = append(recorded, reason)
	}
	return logged, recorded
}

func (w *written) live(object client.Object) *v1beta1.MCPServer {
	w.t.Helper()
	live := &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: object.GetName()}}
	cluster.Get(w.t, live)
	return live
}

// TestOneTransitionIsReportedOnce reconciles with a cache that returns an object
// from before a write.
func TestOneTransitionIsReportedOnce(t *testing.T) {
	const unsupported, unresolved = "BaselineScopeNotSupported", "ScopesNotResolved"
	modes := map[string]func(client.Client, events.EventRecorder) controller.Write{"standalone": controller.StandaloneWrite, "guard": controller.GuardWrite}
	cases := map[string]struct {
		run  func(w *written, stale *v1beta1.MCPServer)
		want []string
	}{
		"its own write is not seen yet": {func(w *written, stale *v1beta1.MCPServer) {
			w.as(stale, "False", unsupported)
			w.as(stale, "False", unsupported)
			w.as(w.live(stale), "False", unsupported)
		}, []string{unsupported}},
		"nor when the verdict is another by now": {func(w *written, stale *v1beta1.MCPServer) {
			w.as(stale, "False", unsupported)
			w.as(stale, "Unknown", unresolved)
			w.as(w.live(stale), "Unknown", unresolved)
		}, []string{unsupported, unresolved}},
		"somebody else's write is not seen yet": {func(w *written, stale *v1beta1.MCPServer) {
			edited := stale.DeepCopy()
			edited.Labels = map[string]string{"edited": "true"}
			expect.NoError(t, cluster.Client.Update(t.Context(), edited))
			w.as(stale, "False", unsupported)
			if edited.ResourceVersion != w.live(stale).ResourceVersion {
				t.Error("the stale decision was written")
			}
			w.as(edited, "False", unsupported)
		}, []string{unsupported}},
		"a namesake took its place": {func(w *written, stale *v1beta1.MCPServer) {
			cluster.Delete(t, stale.DeepCopy())
			w.as(stale, "False", unsupported)
			namesake := sample.Server(stale.Namespace, stale.Name, sample.AuthServerRef("shared"))
			cluster.Create(t, namesake)
			w.as(stale, "False", unsupported)
			w.as(namesake, "False", unsupported)
		}, []string{unsupported}},
	}
	for mode, write := range modes {
		for name, tc := range cases {
			t.Run(mode+"/"+name, func(t *testing.T) {
				recorder := events.NewFakeRecorder(10)
				w := &written{t: t, write: write(cluster.Client, recorder), recorder: recorder}
				server := sample.Server(cluster.Namespace(t), "web", sample.AuthServerRef("shared"))
				cluster.Create(t, server)
				w.as(server, "True", "BaselineScopesSupported")
				tc.run(w, w.live(server))
				logged, recorded := w.reported()
				expect.Equal(t, "lines of the log", tc.want, logged)
				expect.Equal(t, "events", tc.want, recorded)
			})
		}
	}
}
