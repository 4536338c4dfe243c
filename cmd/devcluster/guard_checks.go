package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// inForce waits until the API server applies the policies, as it does some seconds after
// they are stored: a dry run of a kubectl command must print the text.
func inForce(args []string, text string) func(context.Context, *walk) (string, error) {
	return func(ctx context.Context, w *walk) (string, error) {
		last := ""
		err := wait.PollUntilContextTimeout(ctx, time.Second/2, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
			stdout, stderr, _ := w.plane.Kubectl(ctx, nil, append(args, "--dry-run=server")...)
			last = stdout + stderr
			return strings.Contains(last, text), nil
		})
		if err != nil {
			return "", fmt.Errorf("waiting until a dry run of kubectl %s prints %q: %w; it prints %s", controlplane.Quote(args), text, err, last)
		}
		return "The policies are in force.", nil
	}
}

// createDeployment creates the Deployment of the walk's MCPServer.
func createDeployment(ctx context.Context, w *walk) (string, error) {
	const serverName = "weather"
	server := &v1beta1.MCPServer{}
	if err := w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: serverName}, server); err != nil {
		return "", err
	}
	labels := map[string]string{
		toolhive.OwnedLabel: "true", toolhive.NameLabel: strings.ToLower(resolve.KindMCPServer), toolhive.InstanceLabel: serverName,
	}
	deployment := sample.Deployment(namespace, serverName, labels)
	deployment.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(server, v1beta1.GroupVersion.WithKind(resolve.KindMCPServer))}
	deployment.Spec.Template.Annotations = map[string]string{toolhive.GenerationAnnotation: fmt.Sprint(server.Generation)}
	if err := w.client.Create(ctx, deployment); err != nil {
		return "", fmt.Errorf("creating the Deployment: %w", err)
	}
	return "The Deployment is created. There is no kubelet here, so its pod stays Pending.", nil
}
