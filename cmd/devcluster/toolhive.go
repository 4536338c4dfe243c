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
)

// toolhiveSum is the checksum of the newest release of ToolHive that scopegate is tested
// with, as in compat/release. The source is enough: nothing of it is compiled.
const toolhiveSum = "h1:DiZPVaTjVB7IOFR5mhME2M6kn/2VwacrPZqnsShmcmo="

// toolhiveCRDs downloads the source of a release of ToolHive, if it is not in Go's module
// cache, and returns its CustomResourceDefinitions.
func toolhiveCRDs(ctx context.Context, version string) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	module := "github.com/stacklok/toolhive@" + version
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", module) //nolint:gosec // A version of internal/versions.
	// That release may need a newer Go. The go command says so, and downloads it all the same.
	output, failed := command.Output()
	var downloaded struct{ Zip, Sum, Error string }
	if err := json.Unmarshal(output, &downloaded); err != nil {
		return nil, fmt.Errorf("downloading %s: %w", module, errors.Join(failed, err))
	}
	switch {
	case downloaded.Zip == "":
		return nil, fmt.Errorf("downloading %s: %s", module, downloaded.Error)
	case downloaded.Sum != toolhiveSum:
		return nil, fmt.Errorf("%s has the checksum %s, want %s", module, downloaded.Sum, toolhiveSum)
	}
	archive, err := zip.OpenReader(downloaded.Zip)
	if err != nil {
		return nil, err
	}
	defer func() { _ = archive.Close() }()
	files, err := fs.Glob(archive, module+"/deploy/charts/operator-crds/files/crds/*.yaml")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no CustomResourceDefinitions in %s: %w", module, err)
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
