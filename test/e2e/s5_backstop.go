package main

import (
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/rollout"
)

// backstop: a run config that the operator never judged ends the process that
// reads it, with ToolHive's own words.
func backstop(s *suite) {
	const byHand = "by-hand"
	namespace := s.namespace("backstop")
	s.apply(namespace, "whole/10-shared.yaml", "whole/20-config.yaml", "whole/30-weather.yaml")
	s.awaitReady(namespace, "mcpserver/weather")

	s.say("A copy of the Deployment, with a run config that somebody wrote by hand.")
	var deployment appsv1.Deployment
	s.must(s.admin.Get(s.ctx, client.ObjectKey{Namespace: namespace, Name: child(namespace, "mcpserver/weather")}, &deployment))
	labels := map[string]string{"app.kubernetes.io/instance": byHand}
	template := deployment.Spec.Template
	template.Labels = labels
	template.Annotations[rollout.RunConfigAnnotation] = s.withBaseline(template.Annotations[rollout.RunConfigAnnotation], "openid", "calendar.read")
	s.must(s.admin.Create(s.ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: byHand},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}))
	s.await("its pod is in CrashLoopBackOff", func() string { return s.noneCrashing(namespace, byHand) })
	s.kubectl("--namespace", namespace, "get", "pods")
	s.wantLog(namespace, byHand, `baseline_client_scopes contains "calendar.read" which is not in scopes_supported`)
	s.kubectl("--namespace", namespace, "delete", "deployment", byHand, "--cascade=foreground")
}

// withBaseline replaces the baseline in a run config.
func (s *suite) withBaseline(runConfig string, baseline ...string) string {
	var fields map[string]any
	s.must(json.Unmarshal([]byte(runConfig), &fields))
	fields["baseline_client_scopes"] = baseline
	text, err := json.Marshal(fields)
	s.must(err)
	return string(text)
}

// noneCrashing tells what keeps every pod of an instance from CrashLoopBackOff.
func (s *suite) noneCrashing(namespace, instance string) string {
	answer := "there is no pod"
	for _, pod := range s.pods(namespace, instance) {
		if answer = notCrashing(pod); answer == "" {
			return ""
		}
	}
	return answer
}

func notCrashing(pod corev1.Pod) string {
	for _, container := range pod.Status.ContainerStatuses {
		if waiting := container.State.Waiting; waiting != nil && waiting.Reason == "CrashLoopBackOff" {
			return ""
		}
	}
	return fmt.Sprintf("pod %s is %s", pod.Name, pod.Status.Phase)
}

// wantLog shows the log of the crash before of a Deployment's pod, which must
// hold the text: another try may have begun, and not said anything yet.
func (s *suite) wantLog(namespace, deployment, text string) {
	if log := s.kubectl("--namespace", namespace, "logs", "deployment/"+deployment, "--previous", "--tail", "3"); !strings.Contains(log, text) {
		s.fail("the log does not say %s", text)
	}
}
