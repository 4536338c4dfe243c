//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pods returns the pods of a Deployment that are not ending.
func (s *scenario) pods(namespace, instance string) []corev1.Pod {
	s.Helper()
	var list corev1.PodList
	// The MCP server behind a proxy of ToolHive's has a pod of a StatefulSet.
	s.must(s.client.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/instance": instance}, client.HasLabels{appsv1.DefaultDeploymentUniqueLabelKey}))
	return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil })
}

// uids are those of pods, in order.
func uids(pods []corev1.Pod) []string {
	var uids []string
	for _, pod := range pods {
		uids = append(uids, string(pod.UID))
	}
	slices.Sort(uids)
	return uids
}

func ready(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// awaitNewPod waits until a Deployment runs in one pod, which is Ready and none of
// the old ones.
func (s *scenario) awaitNewPod(namespace, instance string, old []string) {
	s.Helper()
	s.await("a new pod is Ready, and no other runs", func() error {
		pods := s.pods(namespace, instance)
		switch {
		case len(pods) != 1:
			return fmt.Errorf("there are %d pods", len(pods))
		case slices.Contains(old, string(pods[0].UID)):
			return errors.New("the old pod runs")
		case !ready(pods[0]):
			return errors.New("the new pod is not Ready")
		default:
			return nil
		}
	})
}

// awaitNoneEnding waits until what is ending has answered its last requests.
func (s *scenario) awaitNoneEnding(namespace string) {
	s.Helper()
	s.await("no pod is ending", func() error {
		var list corev1.PodList
		if err := s.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return err
		}
		for _, pod := range list.Items {
			if pod.DeletionTimestamp != nil {
				return fmt.Errorf("pod %s is ending", pod.Name)
			}
		}
		return nil
	})
}

// crashLooping is a pod of a Deployment in CrashLoopBackOff, or the error says
// what its pods are instead.
func (s *scenario) crashLooping(namespace, instance string) (string, error) {
	err := errors.New("there is no pod")
	for _, pod := range s.pods(namespace, instance) {
		for _, container := range pod.Status.ContainerStatuses {
			if waiting := container.State.Waiting; waiting != nil && waiting.Reason == "CrashLoopBackOff" {
				return pod.Name, nil
			}
		}
		err = fmt.Errorf("pod %s is %s", pod.Name, pod.Status.Phase)
	}
	return "", err
}

func (s *scenario) awaitCrashLoop(namespace, instance string) {
	s.Helper()
	s.await("a pod of "+instance+" is in CrashLoopBackOff", func() error {
		_, err := s.crashLooping(namespace, instance)
		return err
	})
}

// wantLog shows the end of the log of the crash before of a pod that crash-loops,
// which must hold the texts: another try may have begun, and not said anything.
func (s *scenario) wantLog(namespace, instance string, texts ...string) {
	s.Helper()
	var pod string
	s.await("a pod of "+instance+" waits for another try", func() (err error) {
		pod, err = s.crashLooping(namespace, instance)
		return err
	})
	log := s.kubectl(namespace, "logs", pod, "--previous", "--tail", "3")
	for _, text := range texts {
		if !strings.Contains(log, text) {
			s.Fatalf("the log does not say %s", text)
		}
	}
}

// revision is that of a Deployment: how often it has rolled.
func (s *scenario) revision(namespace, name string) int {
	s.Helper()
	var deployment appsv1.Deployment
	s.must(s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &deployment))
	revision, err := strconv.Atoi(deployment.Annotations["deployment.kubernetes.io/revision"])
	s.must(err)
	return revision
}
