package testenv

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// TestTheRecorderSeesAnInvalidRollout shows the recorder what the gate would hold.
func TestTheRecorderSeesAnInvalidRollout(t *testing.T) {
	recorder := &Recorder{generations: map[types.UID]int64{}}
	deployment := sample.Deployment("ns", "web", nil)
	deployment.Spec.Template.Annotations = map[string]string{
		rollout.RunConfigAnnotation: `{"scopes_supported":["openid"],"baseline_client_scopes":["openid","admin"]}`,
	}
	recorder.observe(deployment, false)
	recorder.observe(&appsv1.ReplicaSet{ObjectMeta: deployment.ObjectMeta, Spec: appsv1.ReplicaSetSpec{Template: deployment.Spec.Template}}, false)
	const why = `baseline_client_scopes has "admin", which is not in scopes_supported`
	expect.Equal(t, "violations", []string{"Deployment ns/web: " + why, "ReplicaSet ns/web: " + why}, recorder.Violations())
}
