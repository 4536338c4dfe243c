package main

import (
	"maps"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/rollout"
)

// configMaps are where ToolHive's operator keeps the run config of each workload's
// Deployment.
var configMaps = map[string]string{"weather": "weather-runconfig", "tickets": "tickets-runconfig", "office": "office-vmcp-config"}

// Annotations of ToolHive's: of a run config's ConfigMap, and of the pods that
// run from it (ToolHive: cmd/thv-operator/pkg/runconfig).
const (
	configChecksum = "toolhive.stacklok.dev/content-checksum"
	podsChecksum   = "toolhive.stacklok.dev/runconfig-checksum"
)

// awaitRolledByToolHive waits until every workload runs from a run config that
// names badScope, or that does not, in one pod that is available and no other.
func (s *suite) awaitRolledByToolHive(withBadScope bool) {
	for _, object := range workloads {
		_, deployment, _ := strings.Cut(object, "/")
		s.await(deployment+" runs as it is to, in one pod", func() string { return s.notRolled(deployment, withBadScope) })
	}
}

// notRolled tells what is still to come.
func (s *suite) notRolled(name string, withBadScope bool) string {
	var config corev1.ConfigMap
	var deployment appsv1.Deployment
	if err := s.admin.Get(s.ctx, client.ObjectKey{Namespace: demoNamespace, Name: configMaps[name]}, &config); err != nil {
		return err.Error()
	}
	if err := s.admin.Get(s.ctx, client.ObjectKey{Namespace: demoNamespace, Name: name}, &deployment); err != nil {
		return err.Error()
	}
	named := false
	for _, text := range config.Data {
		named = named || strings.Contains(text, badScope)
	}
	if named != withBadScope {
		return "ConfigMap " + config.Name + " has the run config from before"
	}
	if deployment.Spec.Template.Annotations[podsChecksum] != config.Annotations[configChecksum] {
		return "Deployment " + name + " has another run config than ConfigMap " + config.Name
	}
	if done, message := words.Progress(&deployment); !done {
		return message
	}
	return ""
}

// notSucceeded tells what keeps a workload from running in one pod that is Ready
// and not among the old ones.
func (s *suite) notSucceeded(deployment string, old map[string]string) string {
	pods := s.podsOf(deployment)
	for name := range pods {
		if _, was := old[name]; was {
			return "pod " + name + " is an old one"
		}
		if !ready(s.pods(demoNamespace, deployment)[name]) {
			return "pod " + name + " is not ready"
		}
	}
	if len(pods) != 1 {
		return "there is not one pod"
	}
	return ""
}

// demoPods are the pods of the workloads, by name, with their uids.
func (s *suite) demoPods() map[string]string {
	pods := map[string]string{}
	for _, object := range workloads {
		_, deployment, _ := strings.Cut(object, "/")
		maps.Copy(pods, s.podsOf(deployment))
	}
	return pods
}

// podsOf are the pods of a workload's Deployment that are not ending, with uids.
func (s *suite) podsOf(deployment string) map[string]string {
	pods := map[string]string{}
	for name, pod := range s.pods(demoNamespace, deployment) {
		// The MCP server behind a proxy has a pod of a StatefulSet.
		if pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != "" {
			pods[name] = string(pod.UID)
		}
	}
	return pods
}

func (s *suite) samePods(want map[string]string) {
	if got := s.demoPods(); !maps.Equal(got, want) {
		s.fail("the pods are %v, and were %v", got, want)
	}
}
