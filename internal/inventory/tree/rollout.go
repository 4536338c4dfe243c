package tree

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/resolve"
)

// Rollout is the state of the rollout of a consumer's auth server.
type Rollout struct {
	// State is one of the constants below.
	State string `json:"state"`
	// Reason gives more detail, such as the reason of the condition Ready.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// The states of a rollout.
const (
	RolledOut  = "RolledOut"  // All pods are of the newest version, and available.
	RollingOut = "RollingOut" // The rollout is in progress.
	Held       = "Held"       // The verdict or another defect prevents the rollout; what runs is unchanged.
	Failed     = "Failed"     // The API server rejected a write or a pod, or pods do not become ready.
	None       = "None"       // There is no Deployment.
	Unknown    = "Unknown"    // The state can't be determined.
)

func rolloutOf(snapshot *inventory.Snapshot, pair inventory.Pair) Rollout {
	if snapshot.Mode == inventory.Standalone {
		return byCondition(pair.Consumer)
	}
	if why := snapshot.Unreadable["deployments"]; why != "" {
		return Rollout{Unknown, "NotReadable", why}
	}
	if pair.Consumer.Deployment == nil {
		return Rollout{None, "NoDeployment", "ToolHive's operator has created no Deployment"}
	}
	return byDeployment(pair.Consumer.Deployment, pair.Verdict.State == resolve.NotSupported)
}

// byCondition returns the state in standalone mode, where scopegate writes Ready.
func byCondition(consumer *inventory.Consumer) Rollout {
	ready := meta.FindStatusCondition(consumer.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return Rollout{Unknown, "NotEvaluated", "no manager has written the condition Ready"}
	}
	rollout := Rollout{Held, ready.Reason, ready.Message}
	switch {
	case ready.ObservedGeneration < consumer.Generation:
		rollout.State = Unknown
	case ready.Status == metav1.ConditionTrue:
		rollout.State = RolledOut
	case ready.Reason == v1alpha1.ReasonRollingOut:
		rollout.State = RollingOut
	case ready.Reason == v1alpha1.ReasonRolloutFailed:
		rollout.State = Failed
	}
	return rollout
}

// byDeployment returns the state beside ToolHive's operator. The guard holds a
// rollout by refusing its pods, which the Deployment reports as ReplicaFailure.
func byDeployment(deployment *appsv1.Deployment, notSupported bool) Rollout {
	done, message := condition.Progress(deployment)
	failure, progressing := deploymentCondition(deployment, appsv1.DeploymentReplicaFailure), deploymentCondition(deployment, appsv1.DeploymentProgressing)
	switch {
	case deployment.Status.ObservedGeneration < deployment.Generation:
		// The conditions are about what it was before.
	case failure.Status == corev1.ConditionTrue && notSupported:
		return Rollout{Held, string(failure.Type), failure.Message}
	case failure.Status == corev1.ConditionTrue:
		return Rollout{Failed, string(failure.Type), failure.Message}
	case progressing.Status == corev1.ConditionFalse:
		return Rollout{Failed, progressing.Reason, message}
	case done:
		return Rollout{RolledOut, "DeploymentAvailable", message}
	}
	return Rollout{RollingOut, "DeploymentProgressing", message}
}

// deploymentCondition returns a condition, or an empty one.
func deploymentCondition(deployment *appsv1.Deployment, conditionType appsv1.DeploymentConditionType) appsv1.DeploymentCondition {
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == conditionType {
			return condition
		}
	}
	return appsv1.DeploymentCondition{}
}
