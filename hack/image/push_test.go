package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestPush pushes to a registry with the API for referrers, and to one without.
func TestPush(t *testing.T) {
	folder := testBuild(t, false)
	for title, referrers := range map[string]bool{"with referrers": true, "without referrers": false} {
		t.Run(title, func(t *testing.T) {
			server := httptest.NewServer(registry.New(registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0))))
			defer server.Close()
			to := strings.TrimPrefix(server.URL, "http://") + "/team"
			noError(t, push(t.Context(), folder, to, "v1.2.3", []string{"hello"}))
			tag, err := name.NewTag(to + "/scopegate-hello:v1.2.3")
			noError(t, err)
			index, err := remote.Index(tag)
			noError(t, err)
			if err := validate.Index(index); err != nil {
				t.Errorf("not a valid index: %v", err)
			}
			manifest, err := index.IndexManifest()
			if err != nil || len(manifest.Manifests) != 2 {
				t.Fatalf("the index has %v (%v), want two images", manifest, err)
			}
			for _, image := range manifest.Manifests {
				checkReferrer(t, tag.Digest(image.Digest.String()), filepath.Join(folder, "hello-"+image.Platform.Architecture+".cdx.json"))
			}
		})
	}
}

// checkReferrer compares the one referrer of an image with the file of an SBOM.
func checkReferrer(t *testing.T, image name.Digest, file string) {
	t.Helper()
	referrers, err := remote.Referrers(image)
	noError(t, err)
	list, err := referrers.IndexManifest()
	if err != nil || len(list.Manifests) != 1 || list.Manifests[0].ArtifactType != string(sbomType) {
		t.Fatalf("%s has the referrers %+v (%v), want one SBOM", image, list, err)
	}
	artifact, err := remote.Image(image.Context().Digest(list.Manifests[0].Digest.String()))
	noError(t, err)
	layers, err := artifact.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers (%v), want 1", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	noError(t, err)
	got, err := io.ReadAll(content)
	want, wantErr := os.ReadFile(file) //nolint:gosec // Just built.
	if err != nil || wantErr != nil || string(got) != string(want) {
		t.Errorf("the SBOM of %s has %d bytes (%v), want %d as in %s (%v)", image, len(got), err, len(want), file, wantErr)
	}
}
