package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
)

// rollouts are the Deployment and the ReplicaSets of the walk's MCPServer.
type rollouts struct {
	deployment  appsv1.Deployment
	replicaSets []appsv1.ReplicaSet
}

// weather is the name of the children of the walk's MCPServer.
var weather = rollout.ChildName(resolve.Consumer{Kind: resolve.KindMCPServer, Namespace: namespace, Name: "weather"})

// runConfigScopes holds the scope lists of a run config.
type runConfigScopes struct {
	Supported []string `json:"scopes_supported"`
	Baseline  []string `json:"baseline_client_scopes"`
}

// nothingMade checks that no child of any kind exists.
func nothingMade(ctx context.Context, w *walk) (string, error) {
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.ReplicaSetList{}, &corev1.PodList{}, &corev1.ServiceList{}} {
		if err := w.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return "", fmt.Errorf("listing: %w", err)
		}
		if n := meta.LenList(list); n > 0 {
			return "", fmt.Errorf("want no children, but a %T has %d objects", list, n)
		}
	}
	return "Nothing was created, so nothing can crash-loop.", nil
}

// firstRollout records the first rollout.
func firstRollout(ctx context.Context, w *walk) (string, error) {
	seen, err := w.replicaSets(ctx, 1)
	if err != nil {
		return "", err
	}
	w.rolledOut = seen
	scopes, err := runConfig(seen.replicaSets[0].Spec.Template)
	if err != nil {
		return "", err
	}
	if got := strings.Join(scopes.Baseline, " "); got != "openid offline_access" {
		return "", fmt.Errorf("the run config should have the baseline of the repaired config, but has %q", got)
	}
	return fmt.Sprintf("The run config in the pod template: scopes_supported %q, baseline_client_scopes %q.\n"+
		"   There is no kubelet here: pods are created but stay Pending, so no Deployment becomes ready.", scopes.Supported, scopes.Baseline), nil
}

// nothingChanged checks that the first rollout is unchanged.
func nothingChanged(ctx context.Context, w *walk) (string, error) {
	seen, err := w.replicaSets(ctx, 1)
	if err != nil {
		return "", err
	}
	was, is := &w.rolledOut.deployment, &seen.deployment
	if is.UID != was.UID || is.Generation != was.Generation || is.ResourceVersion != was.ResourceVersion {
		return "", fmt.Errorf("the Deployment changed from generation %d, resourceVersion %s to %d, %s",
			was.Generation, was.ResourceVersion, is.Generation, is.ResourceVersion)
	}
	old, now := &w.rolledOut.replicaSets[0], &seen.replicaSets[0]
	if now.UID != old.UID || now.ResourceVersion != old.ResourceVersion {
		return "", fmt.Errorf("the ReplicaSet changed from %s, resourceVersion %s to %s, %s",
			old.Name, old.ResourceVersion, now.Name, now.ResourceVersion)
	}
	return fmt.Sprintf("The Deployment is unchanged: generation %d, resourceVersion %s. So is its ReplicaSet, with the old run config.",
		is.Generation, is.ResourceVersion), nil
}

// secondRollout checks that the second ReplicaSet has the new run config, and
// that the first one keeps its own.
func secondRollout(ctx context.Context, w *walk) (string, error) {
	seen, err := w.replicaSets(ctx, 2)
	if err != nil {
		return "", err
	}
	for _, replicaSet := range seen.replicaSets {
		want := "openid profile email offline_access"
		if replicaSet.UID == w.rolledOut.replicaSets[0].UID {
			want = "openid profile offline_access"
		}
		if pods := ptr.Deref(replicaSet.Spec.Replicas, 1); pods != 1 {
			return "", fmt.Errorf("ReplicaSet %s should keep its pod, but has %d", replicaSet.Name, pods)
		}
		scopes, err := runConfig(replicaSet.Spec.Template)
		if err != nil {
			return "", err
		}
		if got := strings.Join(scopes.Supported, " "); got != want {
			return "", fmt.Errorf("the run config of ReplicaSet %s should have scopes_supported %q, but has %q", replicaSet.Name, want, got)
		}
	}
	return "Each ReplicaSet carries its own run config: three scopes in the old one, four in the new one.", nil
}

// backToFirst checks that the Deployment has its first run config again, and that
// there is no third ReplicaSet.
func backToFirst(ctx context.Context, w *walk) (string, error) {
	old := w.rolledOut.deployment.Spec.Template.Annotations[rollout.RunConfigAnnotation]
	deployments := &appsv1.DeploymentList{}
	err := w.await(ctx, deployments, "the Deployment has its first run config", func() bool {
		deployment := find(deployments.Items)
		return deployment != nil && deployment.Spec.Template.Annotations[rollout.RunConfigAnnotation] == old &&
			deployment.Status.ObservedGeneration == deployment.Generation
	})
	if err != nil {
		return "", err
	}
	if _, err := w.replicaSets(ctx, 2); err != nil {
		return "", err
	}
	return "Every baseline is supported. Ready stays False (RollingOut), because no kubelet starts the pods.", nil
}

// replicaSets waits until the Deployment has n ReplicaSets, and returns all of
// them.
func (w *walk) replicaSets(ctx context.Context, n int) (rollouts, error) {
	var seen rollouts
	list := &appsv1.ReplicaSetList{}
	err := w.await(ctx, list, fmt.Sprintf("there are %d ReplicaSets of %s", n, weather), func() bool {
		seen.replicaSets = nil
		for _, replicaSet := range list.Items {
			if owner := metav1.GetControllerOf(&replicaSet); owner != nil && owner.Name == weather {
				seen.replicaSets = append(seen.replicaSets, replicaSet)
			}
		}
		return len(seen.replicaSets) == n
	})
	if err != nil {
		return seen, fmt.Errorf("%w: there are %d", err, len(seen.replicaSets))
	}
	if err := w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: weather}, &seen.deployment); err != nil {
		return seen, fmt.Errorf("reading the Deployment: %w", err)
	}
	return seen, nil
}

func find(deployments []appsv1.Deployment) *appsv1.Deployment {
	for i := range deployments {
		if deployments[i].Name == weather {
			return &deployments[i]
		}
	}
	return nil
}

func runConfig(template corev1.PodTemplateSpec) (runConfigScopes, error) {
	var scopes runConfigScopes
	if err := json.Unmarshal([]byte(template.Annotations[rollout.RunConfigAnnotation]), &scopes); err != nil {
		return scopes, fmt.Errorf("reading the run config: %w", err)
	}
	return scopes, nil
}
