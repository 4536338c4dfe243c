package main

import (
	"archive/tar"
	"bytes"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nonRoot is the user and the group of the processes, as in the pods.
const nonRoot = "65532:65532"

// content is the content of the images of one program.
type content struct {
	name, version, revision string
	created                 time.Time
	licence                 []byte
	binaries                []platformBinary
	// foreign is true if the program was not built from this repository.
	foreign bool
}

type platformBinary struct {
	platform     v1.Platform
	binary, sbom []byte
}

func (c *content) add(platform v1.Platform, binary, sbom []byte) {
	c.binaries = append(c.binaries, platformBinary{platform, binary, sbom})
}

// index returns an index of an image for each platform.
func (c *content) index() (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, binary := range c.binaries {
		image, err := c.image(binary)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &binary.platform},
		})
	}
	return mutate.Annotations(index, c.labels()).(v1.ImageIndex), nil
}

func (c *content) image(binary platformBinary) (v1.Image, error) {
	layer, err := c.layer(binary)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base, mutate.Addendum{Layer: layer, History: v1.History{
		Created: v1.Time{Time: c.created}, CreatedBy: "scopegate " + c.version,
	}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = binary.platform.OS, binary.platform.Architecture
	config.Created = v1.Time{Time: c.created}
	config.Config = v1.Config{Entrypoint: []string{"/" + c.name}, User: nonRoot, WorkingDir: "/", Labels: c.labels()}
	return mutate.ConfigFile(image, config)
}

func (c *content) labels() map[string]string {
	if c.foreign {
		return map[string]string{"org.opencontainers.image.title": c.name, "org.opencontainers.image.version": c.version}
	}
	return map[string]string{
		"org.opencontainers.image.title":    "scopegate-" + c.name,
		"org.opencontainers.image.source":   "https://github.com/scopegate/scopegate",
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.version":  c.version,
		"org.opencontainers.image.revision": c.revision,
		"org.opencontainers.image.created":  c.created.Format(time.RFC3339),
	}
}

// layer returns the file system: the program, its licence and its SBOM.
func (c *content) layer(binary platformBinary) (v1.Layer, error) {
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for _, file := range []struct {
		name string
		mode int64
		data []byte
	}{
		{c.name, 0o555, binary.binary},
		{"LICENSE", 0o444, c.licence},
		{"sbom.cdx.json", 0o444, binary.sbom},
	} {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file.name, Mode: file.mode, Size: int64(len(file.data)), ModTime: c.created, Format: tar.FormatPAX}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(file.data); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}
