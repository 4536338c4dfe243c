package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// sbomOf returns a CycloneDX document of the modules that a binary was built
// from, as Go records them in the binary.
func sbomOf(file, name, version string) ([]byte, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the build information of %s: %w", name, err)
	}
	program := cdx.Component{Type: cdx.ComponentTypeApplication, Name: "scopegate-" + name, Version: version, BOMRef: info.Path}
	components := []cdx.Component{{
		Type: cdx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion, BOMRef: "std", PackageURL: "pkg:golang/std@" + info.GoVersion,
	}}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		if module.Version == "" {
			// A folder of this repository.
			continue
		}
		url := "pkg:golang/" + module.Path + "@" + module.Version
		component := cdx.Component{Type: cdx.ComponentTypeLibrary, Name: module.Path, Version: module.Version, BOMRef: url, PackageURL: url}
		components = append(components, component)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &program}
	bom.Components = &components
	var text bytes.Buffer
	if err := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return nil, fmt.Errorf("encoding the SBOM of %s: %w", name, err)
	}
	return text.Bytes(), nil
}
