package operator

import (
	"context"
	"fmt"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/scopegate/scopegate/internal/versions"
)

// logVersions logs the versions that the manager runs with, and warns about
// untested ones. ToolHive's version is unknown: its CRDs do not have it, and the
// manager has no permission to read the Deployment of its operator, which does.
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
