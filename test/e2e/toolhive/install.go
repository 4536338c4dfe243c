// Package toolhive puts ToolHive's own operator onto a cluster, as its chart
// does.
package toolhive

import (
	"context"
	_ "embed"
	"path/filepath"
	"strings"
	"time"

	"github.com/scopegate/scopegate/test/e2e/node"
)

//go:embed operator.yaml
var operator string

// Namespace is where the operator runs.
const Namespace = "toolhive-system"

// Images are the operator's, those of the workloads that it makes, and a small
// MCP server, localhost/mcpserver:1.
func Images() []node.Image {
	folder := filepath.Join(node.Assets(), "images")
	return []node.Image{
		{Name: "localhost/toolhive/operator:v0.47.0", Archive: filepath.Join(folder, "thv-operator.tar")},
		{Name: "localhost/toolhive/proxyrunner:v0.47.0", Archive: filepath.Join(folder, "thv-proxyrunner.tar")},
		{Name: "localhost/toolhive/vmcp:v0.47.0", Archive: filepath.Join(folder, "vmcp.tar")},
		{Name: "localhost/mcpserver:1", Archive: filepath.Join(folder, "mcpserver.tar")},
	}
}

// Install installs ToolHive's CRDs and its operator, and waits until it is
// Ready.
func Install(ctx context.Context, cluster *node.Cluster) error {
	begin := time.Now()
	files := filepath.Join(node.Assets(), "toolhive")
	// Longer than an annotation may be, so server-side.
	if _, err := cluster.Kubectl(ctx, nil, "apply", "--server-side", "--filename", filepath.Join(files, "crds")); err != nil {
		return err
	}
	if _, err := cluster.Kubectl(ctx, nil, "apply", "--filename", filepath.Join(files, "role.yaml")); err != nil {
		return err
	}
	if _, err := cluster.Kubectl(ctx, strings.NewReader(operator), "apply", "--filename", "-"); err != nil {
		return err
	}
	if _, err := cluster.Kubectl(ctx, nil, "--namespace", Namespace, "rollout", "status", "deployment/toolhive-operator", "--timeout", "2m"); err != nil {
		return err
	}
	cluster.Timed(begin, "ToolHive's operator is Ready")
	return nil
}
