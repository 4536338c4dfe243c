// Package chart finds the images and manifests that run ToolHive's own operator on
// a cluster, as its chart does.
package chart

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/scopegate/scopegate/test/e2e/node"
)

// Namespace is the namespace of the operator.
const Namespace = "toolhive-system"

// Images returns the images of the operator and of its workloads, and a small
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

// Source returns the folder of ToolHive's sources, of the release that the auth
// server is built from. root is the folder of this repository.
func Source(root string) (string, error) {
	command := exec.Command("go", "mod", "download", "-json", "github.com/stacklok/toolhive")
	command.Dir = filepath.Join(root, "authserver")
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("downloading ToolHive's sources: %w: %s", err, output)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(output, &module); err != nil {
		return "", fmt.Errorf("finding ToolHive's sources: %w", err)
	}
	return module.Dir, nil
}

// CRDs returns the folder of ToolHive's CRDs.
func CRDs(root string) (string, error) {
	source, err := Source(root)
	return filepath.Join(source, "deploy", "charts", "operator-crds", "files", "crds"), err
}

// Manifests returns the files and folders to apply. Apply them server-side,
// because ToolHive's CRDs are too long for an annotation.
func Manifests(root string) ([]string, error) {
	crds, err := CRDs(root)
	if err != nil {
		return nil, err
	}
	operator, err := filepath.Abs(filepath.Join(root, "test", "e2e", "chart", "operator.yaml"))
	return []string{
		crds, filepath.Join(crds, "..", "..", "..", "operator", "templates", "clusterrole", "role.yaml"), operator,
	}, err
}
