package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// sbomType is the media type of an SBOM, by which a client finds it among the
// referrers (https://cyclonedx.org/specification/overview).
const sbomType types.MediaType = "application/vnd.cyclonedx+json"

// pushMain runs the command push, with its arguments.
func pushMain(arguments []string) error {
	flags := flag.NewFlagSet("image push", flag.ExitOnError)
	from := flags.String("from", "dist", "the `folder` of the archives and SBOMs")
	to := flags.String("to", "", "the `registry`, and folders in it (required)")
	version := flags.String("version", "", "the `tag` of the images (required)")
	_ = flags.Parse(arguments)
	if *to == "" || *version == "" || flags.NArg() == 0 {
		return errors.New("--to, --version and at least one NAME are required; see --help")
	}
	return push(context.Background(), *from, *to, *version, flags.Args())
}

// push pushes the images of programs, and each SBOM as a referrer of its image, as the
// OCI distribution specification 1.1 has it. The credentials are those of docker login.
func push(ctx context.Context, from, to, version string, programs []string) error {
	scratch, err := os.MkdirTemp("", "push-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	for _, program := range programs {
		tag, err := name.NewTag(to + "/scopegate-" + program + ":" + version)
		if err != nil {
			return err
		}
		index, err := unpack(ctx, filepath.Join(from, program+".tar"), filepath.Join(scratch, program))
		if err == nil {
			err = pushIndex(ctx, index, filepath.Join(from, program), tag)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", tag, err)
		}
	}
	return nil
}

// pushIndex pushes the SBOMs before the tag, so that a tag never lacks them. The paths of
// the SBOMs begin with prefix.
func pushIndex(ctx context.Context, index v1.ImageIndex, prefix string, tag name.Tag) error {
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	for _, image := range manifest.Manifests {
		sbom, err := os.ReadFile(fmt.Sprintf("%s-%s.cdx.json", prefix, image.Platform.Architecture))
		if err != nil {
			return err
		}
		referrer, err := attach(sbom, image)
		if err != nil {
			return err
		}
		digest, err := referrer.Digest()
		if err != nil {
			return err
		}
		if err := remote.Write(tag.Digest(digest.String()), referrer, options...); err != nil {
			return err
		}
	}
	if err := remote.WriteIndex(tag, index, options...); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Println(tag.Digest(digest.String()))
	return nil
}

// unpack returns the index in an archive of an OCI layout, which it unpacks to folder.
func unpack(ctx context.Context, archive, folder string) (v1.ImageIndex, error) {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	if output, err := exec.CommandContext(ctx, "tar", "-xf", archive, "-C", folder).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("unpacking %s: %w: %s", archive, err, output)
	}
	root, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return nil, err
	}
	manifest, err := root.IndexManifest()
	if err != nil {
		return nil, err
	}
	return root.ImageIndex(manifest.Manifests[0].Digest)
}

// attach returns an artifact with the SBOM of an image. Its type is the media type of
// its config, as in clients from before the field artifactType.
func attach(sbom []byte, image v1.Descriptor) (v1.Image, error) {
	artifact, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(sbom, sbomType))
	if err != nil {
		return nil, err
	}
	subject := v1.Descriptor{MediaType: image.MediaType, Size: image.Size, Digest: image.Digest}
	return mutate.Subject(mutate.ConfigMediaType(artifact, sbomType), subject).(v1.Image), nil
}
