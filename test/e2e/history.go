package main

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/internal/testenv"
)

// showNoneRefused holds that since a revision of etcd no Deployment or ReplicaSet
// of a namespace had a run config that an auth server refuses.
func (s *suite) showNoneRefused(namespace string, since int64) {
	judged := 0
	var refused []string
	judge := func(kind string, object metav1.Object, template corev1.PodTemplateSpec) {
		refusal, carries := testenv.Refusal(template)
		if carries {
			judged++
		}
		if refusal != "" {
			refused = append(refused, fmt.Sprintf("generation %d of %s %s: %s", object.GetGeneration(), kind, object.GetName(), refusal))
		}
	}
	for _, resource := range []string{"deployments", "replicasets"} {
		history, err := s.cluster.History(s.ctx, "/registry/"+resource+"/"+namespace+"/", since)
		s.must(err)
		for _, object := range history {
			switch object := object.(type) {
			case *appsv1.Deployment:
				judge("Deployment", object, object.Spec.Template)
			case *appsv1.ReplicaSet:
				judge("ReplicaSet", object, object.Spec.Template)
			}
		}
	}
	if judged == 0 || len(refused) > 0 {
		s.fail("in %d states of Deployments and ReplicaSets the auth server refuses %d run configs:\n%s", judged, len(refused), strings.Join(refused, "\n"))
	}
	s.say("Of %d states that Deployments and ReplicaSets ever had, none has a run config that its auth server refuses.", judged)
}
