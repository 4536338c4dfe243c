package tree

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/live"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/toolhive"
)

func rolloutOf(snapshot *live.Snapshot, pair live.Pair) Rollout {
	if snapshot.Mode == live.Whole {
		return byCondition(pair.Consumer)
	}
	for _, resource := range []string{"configmaps", "deployments"} {
		if why, hidden := snapshot.Hidden[resource]; hidden {
			return Rollout{State: Unknown, Reason: "NotReadable", Message: why}
		}
	}
	return byChildren(pair, snapshot.ConfigMapsOf(pair.Consumer), snapshot.DeploymentsOf(pair.Consumer))
}

// byCondition is the state in whole mode, where Ready is scopegate's.
func byCondition(consumer live.Consumer) Rollout {
	ready := meta.FindStatusCondition(consumer.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return Rollout{State: Unknown, Reason: "NotJudged", Message: "no manager has written the condition Ready"}
	}
	rollout := Rollout{State: Held, Reason: ready.Reason, Message: ready.Message}
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

// byChildren is the state beside ToolHive's operator, which writes a ConfigMap
// with the run config and then the Deployment.
func byChildren(pair live.Pair, configMaps []*corev1.ConfigMap, deployments []*appsv1.Deployment) Rollout {
	stored := 0
	for _, configMap := range configMaps {
		if live.IsHeld(configMap) {
			return Rollout{State: Held, Reason: "HeldByGuard", Message: fmt.Sprintf("the guard keeps ConfigMap %q as it was", configMap.Name)}
		}
		servers, err := toolhive.AuthServers(configMap.Data, toolhive.DefaultScopes)
		if err != nil {
			return Rollout{State: Unknown, Reason: "NotReadable", Message: fmt.Sprintf("ConfigMap %q: %v", configMap.Name, err)}
		}
		for _, server := range servers {
			stored++
			if len(server.Missing) > 0 {
				return Rollout{State: Refused, Reason: v1alpha1.ReasonBaselineScopeNotSupported,
					Message: fmt.Sprintf("%s of ConfigMap %q has a baseline that the auth server refuses: %s", server.Key, configMap.Name, strings.Join(server.Missing, ", "))}
			}
		}
	}
	switch {
	case stored == 0:
		return Rollout{State: None, Reason: "NoRunConfig", Message: "there is no ConfigMap with a run config of an auth server"}
	case len(deployments) == 0:
		return Rollout{State: None, Reason: "NoDeployment", Message: "there is a run config, but no Deployment"}
	}
	rollout := byDeployment(deployments[0])
	if pair.Verdict.State == resolve.NotSupported {
		// The run config is older than the objects: what they say was not rolled out.
		rollout.State, rollout.Reason = Held, "OlderRunConfig"
		rollout.Message = "the run config is in order, but is not what the objects say by now"
	}
	return rollout
}

func byDeployment(deployment *appsv1.Deployment) Rollout {
	want := int32(1)
	if deployment.Spec.Replicas != nil {
		want = *deployment.Spec.Replicas
	}
	status := deployment.Status
	message := fmt.Sprintf("Deployment %q has %d of %d replicas updated and %d available", deployment.Name, status.UpdatedReplicas, want, status.AvailableReplicas)
	for _, condition := range status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing && condition.Status == corev1.ConditionFalse {
			return Rollout{State: Failed, Reason: condition.Reason, Message: message}
		}
	}
	if status.ObservedGeneration < deployment.Generation || status.UpdatedReplicas < want || status.Replicas > status.UpdatedReplicas || status.AvailableReplicas < want {
		return Rollout{State: RollingOut, Reason: "DeploymentProgressing", Message: message}
	}
	return Rollout{State: RolledOut, Reason: "DeploymentAvailable", Message: message}
}
