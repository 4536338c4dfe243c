package message_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/internal/status/message"
)

// TestProgress changes one field at a time of a Deployment that is rolled out.
func TestProgress(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*appsv1.Deployment)
		done   bool
		says   string
	}{
		"rolled out":                      {func(*appsv1.Deployment) {}, true, "runs the auth server"},
		"a change that is not observed":   {func(d *appsv1.Deployment) { d.Generation++ }, false, "is not observed yet"},
		"pods of before":                  {func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }, false, "updated 1 of 2 pods"},
		"more pods than are to be":        {func(d *appsv1.Deployment) { d.Status.Replicas = 3 }, false, "1 old pods pending termination"},
		"a pod that is not available":     {func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 }, false, "1 of 2 updated pods available"},
		"no number, which stands for one": {func(d *appsv1.Deployment) { d.Spec.Replicas = nil }, true, "runs the auth server"},
		"scaled to none": {func(d *appsv1.Deployment) {
			d.Spec.Replicas = ptr.To[int32](0)
			d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation}
		}, true, "runs the auth server"},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: "auth-web", Generation: 2},
				Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)},
				Status:     appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2},
			}
			tc.change(deployment)
			if done, message := message.Progress(deployment); done != tc.done || !strings.Contains(message, `"auth-web"`) || !strings.Contains(message, tc.says) {
				t.Errorf("got %t, %q; want %t, and %q in it", done, message, tc.done, tc.says)
			}
		})
	}
}
