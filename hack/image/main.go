// Command image builds the OCI images of scopegate's programs without Docker. For each
// program it writes an archive of an OCI layout with an image for each platform, and an
// SBOM for each. Two builds of the same commit have the same digests. It packs a program
// that is already built, such as another project's, unchanged and only for this
// machine's platform. Its command push pushes what it wrote to a registry.
//
// Usage:
//
//	image --out FOLDER --version VERSION --epoch SECONDS NAME=PACKAGE_FOLDER_OR_BINARY...
//	image push --from FOLDER --to REGISTRY --version VERSION NAME...
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// platforms are the platforms of every image.
var platforms = []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) > 0 && arguments[0] == "push" {
		return pushMain(arguments[1:])
	}
	out := flag.String("out", "bin/images", "the `folder` of the archives")
	version := flag.String("version", "", "the `version` in the labels of the images (required)")
	revision := flag.String("revision", "", "the `commit` in the labels of the images")
	epoch := flag.Int64("epoch", 0, "the creation time of the images, in `seconds` since 1970: that of the commit")
	licence := flag.String("licence", "LICENSE", "the licence `file` in the images")
	local := flag.Bool("local", false, "build only for this machine's architecture")
	if err := flag.CommandLine.Parse(arguments); err != nil {
		return err
	}
	build := build{out: *out, local: *local, version: *version, revision: *revision, created: time.Unix(*epoch, 0).UTC(), licence: *licence}
	return build.all(flag.Args())
}

type build struct {
	out, version, revision, licence string
	local                           bool
	created                         time.Time
}

func (b build) all(programs []string) error {
	if b.version == "" || len(programs) == 0 {
		return errors.New("--version and at least one NAME=PACKAGE_FOLDER_OR_BINARY are required; see --help")
	}
	if err := os.MkdirAll(b.out, 0o750); err != nil {
		return err
	}
	licence, err := os.ReadFile(b.licence)
	if err != nil {
		return err
	}
	for _, program := range programs {
		name, folder, ok := strings.Cut(program, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=PACKAGE_FOLDER_OR_BINARY", program)
		}
		if err := b.one(name, folder, licence); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// one builds a program for every platform and writes its archive.
func (b build) one(name, folder string, licence []byte) error {
	scratch, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	contents := content{name: name, version: b.version, revision: b.revision, created: b.created, licence: licence}
	prebuilt, err := isFile(folder)
	if err != nil {
		return err
	}
	contents.foreign = prebuilt
	wanted := platforms
	if prebuilt || b.local {
		wanted = []v1.Platform{{OS: "linux", Architecture: runtime.GOARCH}}
	}
	for _, platform := range wanted {
		file := folder
		if !prebuilt {
			fmt.Fprintf(os.Stderr, "image: building %s for %s\n", name, platform.String())
			file = filepath.Join(scratch, platform.Architecture)
			if err := b.compile(folder, file, platform); err != nil {
				return err
			}
		}
		binary, err := os.ReadFile(file) //nolint:gosec // Just built, or the user's own.
		if err != nil {
			return err
		}
		sbom, err := sbomOf(file, name, b.version)
		if err != nil {
			return err
		}
		contents.add(platform, binary, sbom)
		if err := os.WriteFile(filepath.Join(b.out, fmt.Sprintf("%s-%s.cdx.json", name, platform.Architecture)), sbom, 0o600); err != nil {
			return err
		}
	}
	index, err := contents.index()
	if err != nil {
		return err
	}
	archive := filepath.Join(b.out, name+".tar")
	if err := writeArchive(archive, index, "scopegate-"+name+":"+b.version); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s %s\n", archive, digest)
	return nil
}

func isFile(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return info.Mode().IsRegular(), nil
}

// compile builds a static binary that does not depend on the build folder. It sets the
// version that scopegate's manager compares with the label of the policies.
func (b build) compile(folder, file string, platform v1.Platform) error {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	flags := "-ldflags=-s -w -buildid= -X github.com/scopegate/scopegate/internal/versions.version=" + b.version
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", flags, "-o", absolute, ".") //nolint:gosec // Our own package.
	command.Dir = folder
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture, "GOFLAGS=")
	command.Stderr = os.Stderr
	return command.Run()
}
