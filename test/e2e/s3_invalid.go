package main

import (
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const sentinel = "sentinel"

// invalidFromTheStart: nothing is made for a baseline that the auth server would
// refuse, and everybody who looks is told.
func invalidFromTheStart(s *suite) {
	namespace := s.namespace("invalid")
	s.say("From before the first object, every Deployment, ReplicaSet and pod of the namespace is watched.")
	made := s.watchMade(namespace)

	s.kubectl("--namespace", namespace, "apply", "--filename", testdata("whole/10-shared.yaml"))
	s.applyChanged(namespace, "whole/20-config.yaml", "[openid, offline_access]", "[openid, offline_acess]")
	s.apply(namespace, "whole/30-weather.yaml", "whole/40-tickets.yaml")
	for _, object := range []string{"mcpexternalauthconfig/auth", "mcpserver/weather", "mcpremoteproxy/tickets"} {
		s.kubectl("--namespace", namespace, "wait", "--for=condition=BaselineScopesValid=False", object, "--timeout=2m")
	}
	s.kubectl("--namespace", namespace, "wait", "--for=condition=Stalled", "mcpserver/weather", "--timeout=2m")
	s.showConditions(namespace, "mcpexternalauthconfig/auth", "mcpserver/weather")
	s.kubectl("--namespace", namespace, "get", "deployments,replicasets,pods,services")
	s.kubectl("--namespace", namespace, "events", "--types", "Warning")

	s.say("Another edit that repairs nothing starts nothing either.")
	s.patch(namespace, "mcpserver/weather", `{"spec":{"oidcConfigRef":{"scopes":["openid","profile","email","offline_access"]}}}`)
	s.awaitCondition(namespace, "mcpserver/weather", "BaselineScopesValid", "False")

	s.say("The watches saw the Deployment of the test's own that comes last, its ReplicaSet and its pod, and nothing before.")
	s.must(s.admin.Create(s.ctx, sentinelDeployment(namespace)))
	s.await("the watches have seen the sentinel", made.missing)
	if others := made.others(); len(others) > 0 {
		s.fail("there were %v", others)
	}
	s.kubectl("--namespace", namespace, "delete", "deployment", sentinel)
}

// made is what watches saw being made.
type made struct {
	mutex     sync.Mutex
	sentinels map[string]bool
	seen      []string
}

// watchMade watches what a workload is made of, in a namespace.
func (s *suite) watchMade(namespace string) *made {
	seen := &made{sentinels: map[string]bool{}}
	for kind, list := range map[string]client.ObjectList{
		"Deployment": &appsv1.DeploymentList{}, "ReplicaSet": &appsv1.ReplicaSetList{}, "Pod": &corev1.PodList{},
	} {
		watcher, err := s.admin.Watch(s.ctx, list, client.InNamespace(namespace))
		s.must(err)
		go func() {
			for event := range watcher.ResultChan() {
				seen.observe(kind, event)
			}
		}()
	}
	return seen
}

func (m *made) observe(kind string, event watch.Event) {
	object, ok := event.Object.(client.Object)
	if !ok || event.Type != watch.Added {
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if object.GetLabels()[sentinel] != "" {
		m.sentinels[kind] = true
		return
	}
	m.seen = append(m.seen, kind+" "+object.GetName())
}

func (m *made) missing() string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, kind := range []string{"Deployment", "ReplicaSet", "Pod"} {
		if !m.sentinels[kind] {
			return "the " + kind + " was not seen"
		}
	}
	return ""
}

func (m *made) others() []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.seen
}

// sentinelDeployment is what a watch sees last. Its pod need not run.
func sentinelDeployment(namespace string) *appsv1.Deployment {
	labels := map[string]string{sentinel: "here"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: sentinel, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					SecurityContext: &corev1.PodSecurityContext{
						RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532),
						SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
					},
					Containers: []corev1.Container{{
						Name: sentinel, Image: "localhost/pause:1", ImagePullPolicy: corev1.PullNever,
						SecurityContext: &corev1.SecurityContext{
							AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
						},
					}},
				},
			},
		},
	}
}
