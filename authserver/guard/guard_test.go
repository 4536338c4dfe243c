// Package guard_test gives the guard's policies ToolHive's own CRDs, on a real
// API server.
package guard_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

func TestPolicies(t *testing.T) {
	if os.Getenv(controlplane.AssetsVariable) == "" {
		t.Skipf("%s is not set: `make test` sets it", controlplane.AssetsVariable)
	}
	setup.Quiet()
	crds, err := toolhiveCRDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := testenv.Start(t.Context(), controlplane.Options{CRDs: crds})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := setup.Install(t.Context(), cluster.Config); err != nil {
		t.Fatal(err)
	}
	// Each policy refuses a canary on these CRDs.
	if err := setup.Settle(t.Context(), cluster.Client); err != nil {
		t.Fatal(err)
	}
	t.Run("corpus", func(t *testing.T) { setup.CheckCorpus(t, cluster, os.DirFS("../../test/testdata")) })
	t.Run("types", func(t *testing.T) { setup.CheckTypes(t, cluster) })
}

// toolhiveCRDs returns the CRDs in ToolHive's module.
func toolhiveCRDs(ctx context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	folder, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/stacklok/toolhive").Output()
	if err != nil {
		return nil, fmt.Errorf("finding ToolHive's module: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(string(bytes.TrimSpace(folder)), "deploy/charts/operator-crds/files/crds/*.yaml"))
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
