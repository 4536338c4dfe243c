// Package chart finds the manifests that run ToolHive's own operator on a cluster, as its
// chart does.
package chart

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Namespace is the namespace of the operator.
const Namespace = "toolhive-system"

// CRDs returns the folder of ToolHive's CRDs, of the release that the auth server is
// built from. root is the folder of this repository.
func CRDs(root string) (string, error) {
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
	return filepath.Join(module.Dir, "deploy", "charts", "operator-crds", "files", "crds"), nil
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
