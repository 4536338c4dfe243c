package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// testBuild builds a small program and returns the folder of its archive.
func testBuild(t *testing.T, local bool) string {
	t.Helper()
	folder, out := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(folder, name)
		noError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		noError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("go.mod", "module github.com/scopegate/scopegate\n\ngo 1.26.0\n")
	write("internal/versions/versions.go", "package versions\n\nvar version string\n\nfunc Own() string { return version }\n")
	write("main.go", "package main\n\nimport \"github.com/scopegate/scopegate/internal/versions\"\n\nfunc main() { println(versions.Own()) }\n")
	write("LICENSE", "free\n")
	build := build{out: out, local: local, version: "v1.2.3", revision: "abc", created: time.Unix(1_700_000_000, 0).UTC(), licence: filepath.Join(folder, "LICENSE")}
	noError(t, build.all([]string{"hello=" + folder}))
	return out
}

// testIndex builds a small program and returns its index.
func testIndex(t *testing.T, local bool) v1.ImageIndex {
	t.Helper()
	index, err := unpack(t.Context(), filepath.Join(testBuild(t, local), "hello.tar"), filepath.Join(t.TempDir(), "hello"))
	noError(t, err)
	return index
}

func TestImages(t *testing.T) {
	index := testIndex(t, false)
	if err := validate.Index(index); err != nil {
		t.Errorf("not a valid index: %v", err)
	}
	manifest, err := index.IndexManifest()
	noError(t, err)
	var built []string
	for _, descriptor := range manifest.Manifests {
		built = append(built, descriptor.Platform.String())
		image, err := index.Image(descriptor.Digest)
		noError(t, err)
		config, err := image.ConfigFile()
		noError(t, err)
		if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/hello"}) || config.Architecture != descriptor.Platform.Architecture {
			t.Errorf("%s: user %q, entrypoint %q, architecture %s", descriptor.Platform, config.Config.User, config.Config.Entrypoint, config.Architecture)
		}
		for label, want := range map[string]string{"licenses": "Apache-2.0", "version": "v1.2.3", "revision": "abc", "created": "2023-11-14T22:13:20Z"} {
			if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
				t.Errorf("%s: label %s is %q, want %q", descriptor.Platform, label, got, want)
			}
		}
		checkFiles(t, image)
	}
	if !slices.Equal(built, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("built for %v", built)
	}
}

func TestLocal(t *testing.T) {
	manifest, err := testIndex(t, true).IndexManifest()
	noError(t, err)
	if got := manifest.Manifests; len(got) != 1 || got[0].Platform.String() != "linux/"+runtime.GOARCH {
		t.Errorf("built %v, want only an image for linux/%s", got, runtime.GOARCH)
	}
}

func checkFiles(t *testing.T, image v1.Image) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers (%v), want 1", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	noError(t, err)
	modes := map[string]int64{}
	reader := tar.NewReader(content)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		noError(t, err)
		modes[header.Name] = header.Mode
		if header.Name == "hello" {
			program, err := io.ReadAll(reader)
			if err != nil || !bytes.Contains(program, []byte("v1.2.3")) {
				t.Errorf("the program does not know its version (%v)", err)
			}
		}
		if header.Name == "sbom.cdx.json" {
			var sbom struct {
				Format     string `json:"bomFormat"`
				Components []struct{ Name string }
			}
			if err := json.NewDecoder(reader).Decode(&sbom); err != nil || sbom.Format != "CycloneDX" || len(sbom.Components) == 0 {
				t.Errorf("the SBOM is %+v (%v)", sbom, err)
			}
		}
	}
	if len(modes) != 3 || modes["hello"] != 0o555 || modes["LICENSE"] != 0o444 || modes["sbom.cdx.json"] != 0o444 {
		t.Errorf("files %v", modes)
	}
}

// TestReproducible builds in two folders and compares the results.
func TestReproducible(t *testing.T) {
	first, err := testIndex(t, false).Digest()
	noError(t, err)
	second, err := testIndex(t, false).Digest()
	if err != nil || first != second {
		t.Errorf("digests %s and %s (%v)", first, second, err)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
