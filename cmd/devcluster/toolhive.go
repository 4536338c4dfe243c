package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/versions"
)

// The newest release of ToolHive that scopegate is tested with, and the checksum of its
// module, as in compat/release. The source is enough: nothing of it is compiled.
var toolhiveModule = "github.com/stacklok/toolhive@" + versions.ToolHive.Last

const toolhiveSum = "h1:DiZPVaTjVB7IOFR5mhME2M6kn/2VwacrPZqnsShmcmo="

// toolhiveCRDs downloads the source of ToolHive, if it is not in Go's module cache, and
// returns its CustomResourceDefinitions.
func toolhiveCRDs(ctx context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", toolhiveModule)
	// That release may need a newer Go. The go command says so, and downloads it all the same.
	output, failed := command.Output()
	var module struct{ Zip, Sum, Error string }
	if err := json.Unmarshal(output, &module); err != nil {
		return nil, fmt.Errorf("downloading %s: %w", toolhiveModule, errors.Join(failed, err))
	}
	switch {
	case module.Zip == "":
		return nil, fmt.Errorf("downloading %s: %s", toolhiveModule, module.Error)
	case module.Sum != toolhiveSum:
		return nil, fmt.Errorf("%s has the checksum %s, want %s", toolhiveModule, module.Sum, toolhiveSum)
	}
	archive, err := zip.OpenReader(module.Zip)
	if err != nil {
		return nil, err
	}
	defer func() { _ = archive.Close() }()
	files, err := fs.Glob(archive, toolhiveModule+"/deploy/charts/operator-crds/files/crds/*.yaml")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no CustomResourceDefinitions in %s: %w", toolhiveModule, err)
	}
	var crds []*apiextensionsv1.CustomResourceDefinition
	for _, file := range files {
		text, err := fs.ReadFile(archive, file)
		if err != nil {
			return nil, err
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		crds = append(crds, crd)
	}
	return crds, nil
}
