package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestNothingToRestore checks that values which the API server and other writers
// may set are not a difference. Otherwise scopegate would write the object again
// and again.
func TestNothingToRestore(t *testing.T) {
	checked := checked(t, everything())
	deployment := checked.deployment("x")
	deployment.Spec.Template.Spec.SchedulerName = corev1.DefaultSchedulerName
	deployment.Spec.Template.Spec.Containers[0].ImagePullPolicy = corev1.PullAlways
	deployment.Annotations = map[string]string{"deployment.kubernetes.io/revision": "1"}
	service := checked.service()
	service.Spec.Type = corev1.ServiceTypeNodePort
	service.Spec.Ports[0].NodePort = 30080
	service.Spec.ClusterIPs = []string{"10.0.0.1"}
	for live, desired := range map[client.Object]client.Object{deployment: checked.deployment("x"), service: checked.service()} {
		if after := restored(live, desired); !equality.Semantic.DeepEqual(after, live) {
			t.Errorf("%T (-live +restored):\n%s", live, cmp.Diff(live, after))
		}
	}
}
