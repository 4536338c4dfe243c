package tree

import (
	"cmp"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/cluster"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status/message"
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
	RolledOut  = "RolledOut"  // The newest run config runs.
	RollingOut = "RollingOut" // The rollout is in progress.
	Held       = "Held"       // The verdict or another defect prevents the rollout; what runs is unchanged.
	Failed     = "Failed"     // The API server rejected a write, or pods do not become ready.
	Refused    = "Refused"    // The auth server refuses to start with the stored run config.
	None       = "None"       // Nothing was rolled out.
	Unknown    = "Unknown"    // The state can't be determined.
)

func rolloutOf(snapshot *cluster.Snapshot, pair cluster.Pair) Rollout {
	if snapshot.Mode == cluster.Standalone {
		return byCondition(pair.Consumer)
	}
	if why := cmp.Or(snapshot.Hidden["configmaps"], snapshot.Hidden["deployments"]); why != "" {
		return Rollout{Unknown, "NotReadable", why}
	}
	return byChildren(pair)
}

// byCondition returns the state in standalone mode, where scopegate writes Ready.
func byCondition(consumer *cluster.Consumer) Rollout {
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

// byChildren returns the state beside ToolHive's operator, which first writes a
// ConfigMap with the run config and then the Deployment.
func byChildren(pair cluster.Pair) Rollout {
	stored := 0
	for _, runConfig := range pair.Consumer.RunConfigs {
		if runConfig.Held {
			return Rollout{Held, "HeldByGuard", fmt.Sprintf("the guard keeps ConfigMap %q as it was", runConfig.Name)}
		}
		if runConfig.Err != nil {
			return Rollout{Unknown, "NotReadable", fmt.Sprintf("ConfigMap %q: %v", runConfig.Name, runConfig.Err)}
		}
		for _, server := range runConfig.Servers {
			stored++
			if len(server.Missing) > 0 {
				return Rollout{Refused, v1alpha1.ReasonBaselineScopeNotSupported,
					fmt.Sprintf("%s of ConfigMap %q has a baseline that the auth server refuses: %s", server.Key, runConfig.Name, strings.Join(server.Missing, ", "))}
			}
		}
	}
	switch {
	case stored == 0:
		return Rollout{None, "NoRunConfig", "there is no ConfigMap with a run config of an auth server"}
	case len(pair.Consumer.Deployments) == 0:
		return Rollout{None, "NoDeployment", "there is a run config, but no Deployment"}
	case pair.Verdict.State == resolve.NotSupported:
		// The stored run config is older than the objects, whose state was not
		// rolled out.
		return Rollout{Held, "OlderRunConfig", "the run config is valid, but older than the objects"}
	}
	return byDeployment(pair.Consumer.Deployments[0])
}

func byDeployment(deployment *appsv1.Deployment) Rollout {
	done, message := message.Progress(deployment)
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing && condition.Status == corev1.ConditionFalse {
			return Rollout{Failed, condition.Reason, message}
		}
	}
	if !done {
		return Rollout{RollingOut, "DeploymentProgressing", message}
	}
	return Rollout{RolledOut, "DeploymentAvailable", message}
}
