package operator

import (
	"context"
	"fmt"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/scopegate/scopegate/internal/versions"
)

// logVersions logs what the manager runs with, and warns of what is not tested. Of
// ToolHive that is unknown: its CRDs do not say their version, and the Deployment of its
// operator, which does, the manager has no right to read.
func logVersions(ctx context.Context, cfg *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("reaching the API server: %w", err)
	}
	server, err := client.ServerVersion()
	if err != nil {
		return fmt.Errorf("reading the version of the API server: %w", err)
	}
	found := versions.Found{Kubernetes: server.GitVersion, ToolHive: versions.Unknown}
	logger := log.FromContext(ctx)
	logger.Info("the manager starts", "version", versions.Own(), "kubernetes", found.Kubernetes, "toolhive", found.ToolHive)
	for _, warning := range found.Warnings() {
		logger.Info("a version is not tested", "warning", warning)
	}
	return nil
}
