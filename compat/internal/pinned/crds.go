// Package pinned gives tests the files of the ToolHive module that go.mod
// requires.
package pinned

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// Folder returns the folder of ToolHive's module.
func Folder(ctx context.Context) (string, error) {
	folder, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/stacklok/toolhive").Output()
	if err != nil {
		return "", fmt.Errorf("finding ToolHive's module: %w", err)
	}
	return string(bytes.TrimSpace(folder)), nil
}

// CRDs returns ToolHive's CRDs.
func CRDs(ctx context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	folder, err := Folder(ctx)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(folder, "deploy/charts/operator-crds/files/crds/*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no CRDs in %s: %w", folder, err)
	}
	crds := make([]*apiextensionsv1.CustomResourceDefinition, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // A file of the module.
		if err != nil {
			return nil, err
		}
		crds[i] = &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, crds[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return crds, nil
}
