package main

import (
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const auth = "mcpexternalauthconfig/auth"

// editedToInvalid: an edit that would break a running auth server changes
// nothing that runs.
func editedToInvalid(s *suite) {
	const weather = "mcpserver/weather"
	namespace := s.namespace("edited")
	s.apply(namespace, "whole/10-shared.yaml", "whole/20-config.yaml", "whole/30-weather.yaml")
	s.awaitReady(namespace, weather)
	pods := s.uids(namespace, weather)
	asking := s.ask(s.url(namespace, weather) + discoveryPath)

	s.say("A scope that the consumer does not have joins the baseline.")
	s.patch(namespace, auth, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["openid","calendar.read"]}}}`)
	s.awaitCondition(namespace, auth, "BaselineScopesValid", "False")
	s.awaitCondition(namespace, weather, "BaselineScopesValid", "False")
	s.showConditions(namespace, weather)
	if after := s.uids(namespace, weather); !maps.Equal(pods, after) {
		s.fail("the pods are %v, and were %v", after, pods)
	}
	s.kubectl("--namespace", namespace, "get", "replicasets,pods", "--output", "custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,READY:.status.readyReplicas,PHASE:.status.phase")
	asking.stop(s, "while the edit was held")

	s.say("A pod that is deleted meanwhile comes back with the last config that was good.")
	s.kubectl("--namespace", namespace, "delete", "pod", slices.Sorted(maps.Keys(pods))[0])
	s.await("its successor is Ready", func() string { return s.oneNewReadyPod(namespace, weather, pods) })
	if scopes := s.discover(namespace, weather); !slices.Equal(scopes, []string{"openid", "profile", "offline_access"}) {
		s.fail("the successor has the effective scopes %v", scopes)
	}

	s.say("The repair rolls out with no other nudge, and with no request refused at the Service.")
	asking = s.ask(s.url(namespace, weather) + discoveryPath)
	before := s.uids(namespace, weather)
	s.patch(namespace, weather, `{"spec":{"oidcConfigRef":{"scopes":["openid","profile","offline_access","calendar.read"]}}}`)
	s.awaitReady(namespace, weather)
	s.await("the old pod is gone", func() string { return s.oneNewReadyPod(namespace, weather, before) })
	s.await("its last requests are answered", func() string { return s.endingPods(namespace) })
	asking.stop(s, "during the rollout")
	if scopes := s.discover(namespace, weather); !slices.Contains(scopes, "calendar.read") {
		s.fail("the effective scopes are still %v", scopes)
	}
	s.showConditions(namespace, weather)
}

// oneNewReadyPod tells what keeps a consumer from running in one pod that is
// Ready and none of the old ones.
func (s *suite) oneNewReadyPod(namespace, consumer string, old map[string]string) string {
	pods := s.pods(namespace, child(namespace, consumer))
	if len(pods) != 1 {
		return fmt.Sprintf("there are %d pods", len(pods))
	}
	for name, pod := range pods {
		if old[name] == string(pod.UID) {
			return "the old pod runs"
		}
		if !ready(pod) {
			return "the new pod is not ready"
		}
	}
	return ""
}

// endingPods tells of pods that are ending.
func (s *suite) endingPods(namespace string) string {
	var list corev1.PodList
	s.must(s.admin.List(s.ctx, &list, client.InNamespace(namespace)))
	for _, pod := range list.Items {
		if pod.DeletionTimestamp != nil {
			return pod.Name + " is ending"
		}
	}
	return ""
}

// replicaSets are those of a consumer.
func (s *suite) replicaSets(namespace, consumer string) []string {
	var list appsv1.ReplicaSetList
	s.must(s.admin.List(s.ctx, &list, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/instance": child(namespace, consumer)}))
	var names []string
	for _, set := range list.Items {
		names = append(names, set.Name)
	}
	slices.Sort(names)
	return names
}
