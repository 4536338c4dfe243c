package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// inForce waits until the API server applies the policies, as it does some seconds after
// they are stored: a dry run of a kubectl command must print the text.
func inForce(args []string, text string) func(context.Context, *walk) (string, error) {
	return func(ctx context.Context, w *walk) (string, error) {
		last := ""
		err := wait.PollUntilContextTimeout(ctx, time.Second/2, awaitTimeout, true, func(ctx context.Context) (bool, error) {
			stdout, stderr, _ := w.kubectl(ctx, nil, append(args, "--dry-run=server")...)
			last = stdout + stderr
			return strings.Contains(last, text), nil
		})
		if err != nil {
			return "", fmt.Errorf("waiting until a dry run of kubectl %s prints %q: %w; it prints %s", quoteAll(args), text, err, last)
		}
		return "The policies are in force.", nil
	}
}

// serverName is the name of the walk's MCPServer, and of its Deployment.
const serverName = "weather"

// firstPod creates the Deployment and waits for its pod.
func firstPod(ctx context.Context, w *walk) (string, error) {
	server := &v1beta1.MCPServer{}
	if err := w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: serverName}, server); err != nil {
		return "", err
	}
	labels := map[string]string{
		toolhive.OwnedLabel: "true", toolhive.NameLabel: strings.ToLower(resolve.KindMCPServer), toolhive.InstanceLabel: serverName,
	}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: serverName, Labels: labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(server, v1beta1.GroupVersion.WithKind(resolve.KindMCPServer))},
		},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: generationOf(server)},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "toolhive", Image: "registry.example.com/toolhive/proxyrunner:latest"}}},
			},
		},
	}
	if err := w.client.Create(ctx, deployment); err != nil {
		return "", fmt.Errorf("creating the Deployment: %w", err)
	}
	if _, err := w.pods(ctx, 1); err != nil {
		return "", err
	}
	return "The Deployment has its pod. There is no kubelet here, so it stays Pending.", nil
}

// refusedPod rolls the Deployment out, and waits until its pod is refused.
func refusedPod(ctx context.Context, w *walk) (string, error) {
	before, err := w.pods(ctx, 1)
	if err != nil {
		return "", err
	}
	server, deployment := &v1beta1.MCPServer{}, &appsv1.Deployment{}
	for _, object := range []client.Object{server, deployment} {
		if err := w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: serverName}, object); err != nil {
			return "", err
		}
	}
	old := deployment.DeepCopy()
	deployment.Spec.Template.Annotations = generationOf(server)
	if err := w.client.Patch(ctx, deployment, client.MergeFrom(old)); err != nil {
		return "", fmt.Errorf("rolling the Deployment out: %w", err)
	}
	list := &appsv1.DeploymentList{}
	err = w.await(ctx, list, "the Deployment reports ReplicaFailure", func() bool {
		for _, condition := range list.Items[0].Status.Conditions {
			if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
				return true
			}
		}
		return false
	})
	if err != nil {
		return "", err
	}
	after, err := w.pods(ctx, 1)
	if err != nil {
		return "", err
	}
	if before[0].UID != after[0].UID {
		return "", fmt.Errorf("want the old pod %s, but there is %s", before[0].Name, after[0].Name)
	}
	return "The new ReplicaSet is empty, and the old pod is still there.", nil
}

// secondPod waits for the pod that was refused.
func secondPod(ctx context.Context, w *walk) (string, error) {
	if _, err := w.pods(ctx, 2); err != nil {
		return "", err
	}
	return "The new ReplicaSet has its pod now. The old pod ends once that one is ready.", nil
}

func generationOf(server *v1beta1.MCPServer) map[string]string {
	return map[string]string{toolhive.GenerationAnnotation: fmt.Sprint(server.Generation)}
}

// pods waits until there are n pods, and returns them.
func (w *walk) pods(ctx context.Context, n int) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	err := w.await(ctx, list, fmt.Sprintf("there are %d pods", n), func() bool { return len(list.Items) == n })
	return list.Items, err
}
