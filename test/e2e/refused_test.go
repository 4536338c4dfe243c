//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/e2e/chart"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// wantRefused waits until each workload is refused its new pod, and checks that
// the old pods of all workloads stay and are Ready.
func (s *scenario) wantRefused(pods map[string][]string, refused ...workload) {
	s.Helper()
	for _, w := range refused {
		s.awaitRefused(w)
	}
	s.samePods(pods)
	for _, w := range workloads {
		for _, pod := range s.pods(demo, w.name) {
			if !ready(pod) {
				s.Fatalf("pod %s is not Ready", pod.Name)
			}
		}
	}
}

// wantAnswers checks that the Service of every workload leads to a pod.
func (s *scenario) wantAnswers() {
	s.Helper()
	for _, w := range workloads {
		s.awaitAnswer(w.url+discoveryPath, "")
	}
}

func (s *scenario) awaitRefused(w workload) {
	s.Helper()
	s.await(w.name+" is refused its pod", func() error { return s.refused(w, badScope) })
}

// refused returns an error unless ToolHive's operator has rolled a workload to a run
// config with the scope, its ReplicaSet has no pod, and the ReplicaSet and the
// Deployment both tell why, in the words of the condition.
func (s *scenario) refused(w workload, scope string) error {
	config, err := s.configMap(w)
	if err != nil {
		return err
	}
	if !strings.Contains(fmt.Sprint(config.Data), scope) {
		return fmt.Errorf("the run config does not have %s", scope)
	}
	var deployment appsv1.Deployment
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: demo, Name: w.name}, &deployment); err != nil {
		return err
	}
	var sets appsv1.ReplicaSetList
	if err := s.client.List(ctx, &sets, client.InNamespace(demo), client.MatchingLabels(deployment.Spec.Selector.MatchLabels)); err != nil {
		return err
	}
	checksum := config.Annotations[contentChecksumAnnotation]
	newest := slices.IndexFunc(sets.Items, func(set appsv1.ReplicaSet) bool {
		return set.Spec.Template.Annotations[runConfigChecksumAnnotation] == checksum && set.Annotations[revisionAnnotation] == deployment.Annotations[revisionAnnotation]
	})
	if newest < 0 {
		return errors.New("there is no ReplicaSet with the run config")
	}
	set := sets.Items[newest]
	kind, _ := kindOf(w.object)
	want := fmt.Sprintf("denied request: %s %q: %s", kind.Name, w.name, s.message(w.object))
	for _, conditions := range []string{fmt.Sprint(set.Status.Conditions), fmt.Sprint(deployment.Status.Conditions)} {
		if set.Status.Replicas > 0 || !strings.Contains(conditions, "ReplicaFailure True") || !strings.Contains(conditions, want) {
			return fmt.Errorf("ReplicaSet %s has %d pods and the conditions %s, want %s", set.Name, set.Status.Replicas, conditions, want)
		}
	}
	return nil
}

// message returns the message of an object's condition.
func (s *scenario) message(object string) string {
	s.Helper()
	kind, name := kindOf(object)
	found := kind.Empty()
	s.must(s.client.Get(ctx, client.ObjectKey{Namespace: demo, Name: name}, found))
	return testenv.Valid(found).Message
}

// virtualBaseline is an edit of the baseline of a VirtualMCPServer.
func virtualBaseline(scopes ...string) string {
	return fmt.Sprintf(`{"spec":{"authServerConfig":{"baselineClientScopes":["%s"]}}}`, strings.Join(scopes, `","`))
}

// slip stores a baseline in office that mode enforce rejects. The namespace is in
// mode warn for this moment.
func (s *scenario) slip(scopes ...string) {
	s.Helper()
	s.must(setup.SetMode(ctx, s.client, demo, guard.ModeWarn))
	kind, name := kindOf(office)
	edited := kind.Empty()
	edited.SetNamespace(demo)
	edited.SetName(name)
	s.await("office is edited", func() error {
		return s.client.Patch(ctx, edited, client.RawPatch(types.MergePatchType, []byte(virtualBaseline(scopes...))))
	})
	s.must(setup.SetMode(ctx, s.client, demo, guard.ModeEnforce))
}

// demoPods returns the pods of each workload's Deployment.
func (s *scenario) demoPods() map[string][]string {
	s.Helper()
	pods := map[string][]string{}
	for _, w := range workloads {
		pods[w.name] = uids(s.pods(demo, w.name))
	}
	return pods
}

func (s *scenario) samePods(want map[string][]string) {
	s.Helper()
	if diff := cmp.Diff(want, s.demoPods()); diff != "" {
		s.Fatalf("there are other pods (-want +got):\n%s", diff)
	}
}

// failedReconciles returns how many reconciles of ToolHive's operator have failed.
func (s *scenario) failedReconciles() (failed float64) {
	s.Helper()
	pods, err := s.clientset.CoreV1().Pods(chart.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=toolhive-operator"})
	s.must(err)
	if len(pods.Items) != 1 {
		s.Fatalf("ToolHive's operator has %d pods, want one", len(pods.Items))
	}
	text, err := s.clientset.CoreV1().Pods(chart.Namespace).ProxyGet("http", pods.Items[0].Name, "8080", "metrics", nil).DoRaw(ctx)
	s.must(err)
	failed, err = testenv.Sum(string(text), "controller_runtime_reconcile_errors_total")
	s.must(err)
	return failed
}
