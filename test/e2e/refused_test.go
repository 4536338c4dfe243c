//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/test/e2e/chart"
)

// wantRefused waits until each workload is refused its new pod, and checks that
// the old pods of all workloads stay, are Ready and answer.
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
	kind, _, _ := strings.Cut(w.object, "/")
	want := fmt.Sprintf("denied request: %s %q: %s", kinds[kind], w.name, s.message(w.object))
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
	kind, name, _ := strings.Cut(object, "/")
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(kinds[kind]))
	s.must(s.client.Get(ctx, client.ObjectKey{Namespace: demo, Name: name}, found))
	message, _ := entry(found)["message"].(string)
	return message
}

// virtualBaseline is an edit of the baseline of a VirtualMCPServer.
func virtualBaseline(scopes ...string) string {
	return fmt.Sprintf(`{"spec":{"authServerConfig":{"baselineClientScopes":["%s"]}}}`, strings.Join(scopes, `","`))
}

// withoutOperator stops ToolHive's operator while do runs.
func (s *scenario) withoutOperator(do func()) {
	s.Helper()
	s.kubectl(chart.Namespace, "scale", "deployment", "toolhive-operator", "--replicas", "0")
	s.kubectl(chart.Namespace, "wait", "--for=delete", "pod", "--selector", "app.kubernetes.io/name=toolhive-operator", "--timeout", "2m")
	do()
	s.kubectl(chart.Namespace, "scale", "deployment", "toolhive-operator", "--replicas", "1")
	s.kubectl(chart.Namespace, "rollout", "status", "deployment/toolhive-operator", "--timeout", "2m")
}

// slip stores a baseline in office that mode enforce rejects. The namespace is in
// mode warn for this moment.
func (s *scenario) slip(scopes ...string) {
	s.Helper()
	s.label(guard.ModeWarn)
	s.await("office is edited", func() error { return s.merge("VirtualMCPServer", "office", virtualBaseline(scopes...)) })
	s.label(guard.ModeEnforce)
}

func (s *scenario) label(mode string) {
	s.Helper()
	namespace := &corev1.Namespace{}
	namespace.Name = demo
	s.must(s.client.Patch(ctx, namespace, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, guard.ModeLabel, mode))))
}

// merge edits an object without a process of kubectl.
func (s *scenario) merge(kind, name, change string) error {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(kind))
	object.SetNamespace(demo)
	object.SetName(name)
	return s.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(change)))
}

// showGuarded shows what ToolHive says of each object, and what the guard does.
func (s *scenario) showGuarded() {
	s.Helper()
	for _, object := range guarded {
		s.kubectl(demo, "get", object, "--output",
			`jsonpath={range .status.conditions[?(@.type=="Ready")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}{range .status.conditions[?(@.type=="BaselineScopesValid")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}`)
	}
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

// pause waits to see that nothing happens.
func pause(duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}

// failedReconciles returns how many reconciles of ToolHive's operator have failed.
func (s *scenario) failedReconciles() float64 {
	s.Helper()
	pods, err := s.clientset.CoreV1().Pods(chart.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=toolhive-operator"})
	s.must(err)
	if len(pods.Items) != 1 {
		s.Fatalf("ToolHive's operator has %d pods, want one", len(pods.Items))
	}
	metrics, err := s.clientset.RESTClient().Get().AbsPath("/api/v1/namespaces", chart.Namespace, "pods", pods.Items[0].Name+":8080", "proxy/metrics").DoRaw(ctx)
	s.must(err)
	failed, series := 0.0, 0
	for line := range strings.Lines(string(metrics)) {
		if strings.HasPrefix(line, "controller_runtime_reconcile_errors_total{") {
			value, err := strconv.ParseFloat(strings.Fields(line)[1], 64)
			s.must(err)
			failed += value
			series++
		}
	}
	if series == 0 {
		s.Fatal("ToolHive's operator has no such metric")
	}
	return failed
}
