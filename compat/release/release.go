// Package release gives tests the source of ToolHive's releases: Go files, CRDs and
// examples. It downloads a module as Go does and reads its zip file, so the code of
// a release does not have to compile.
package release

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// Module is the path of ToolHive's module.
const Module = "github.com/stacklok/toolhive"

// RequireVariable makes a test fail if it can't download a release. Without
// the value "required", the test is skipped.
const RequireVariable = "SCOPEGATE_TOOLHIVE_SOURCES"

// Release is a release of ToolHive.
type Release struct {
	Version string
	// Sum is the checksum of the module, in the form of go.sum. A go.sum has
	// only the checksum of the one required version.
	Sum string
}

// Compiled is the release that go.mod requires.
const Compiled = "v0.47.0"

// All are the releases from v0.44.0 on that the module proxy has, oldest first.
var All = []Release{
	{"v0.44.0", "h1:Eq5jxUaU5BpogwOz6aCXKoNWpRmHM0xUjnMVNMXIFSI="},
	{"v0.45.0", "h1:kqPMlOQYpZIPjp9lPLJyOEFqO+tlO5F/IrIPJ5VE5GY="},
	{"v0.46.0", "h1:dFO0DGcSk/PQKytccYOqR92HzKeicwUUEKGf7XgDYEo="},
	{Compiled, "h1:2GBpOHfuQg/1j0gK26iwvn8/qKSpfauHBhpnTHTsiO4="},
	{"v0.48.0", "h1:ANFdgTsM/huh6iIn+NDfncxBRTnHC7RpZdozc5nh+EQ="},
	{"v0.50.0", "h1:tkAK1/Gy7MnngZt8FxHxwQIodg12FANEnId0jYMJISI="},
	{"v0.55.1", "h1:fe5GUN51iWRFFDQSVfk03re4SdqTDcJTN4w/Q9RbT+8="},
	{"v0.55.2", "h1:aiVw1dtNRvA9Ng1KKFiFVIA0nyuuhlt3YQgPgcNHqik="},
	{"v0.56.0", "h1:bQjXYPzomEVa0Se9C8uypnTm5BWJKmBK/HO1a13dnT0="},
	{"v0.57.0", "h1:dRirrAGNPU1WXxODtjX6KeHLYwEsj/y2o9gYPpEWxjg="},
	{"v0.58.0", "h1:eDzw/WQtTsCEVTBm/WNPgzQ5691tCH6mgPtlkkbbHkY="},
	{"v0.59.0", "h1:TWb5QJgKDwwXJscFoXSMjgMtL4V70oE/dbymV/17kxg="},
	{"v0.60.0", "h1:3Mkou7XIY9nUHBsN1IFZ0kwE1J2UL5ANTUTUwZK+Ams="},
	{"v0.61.0", "h1:C/azlsVAwqw1klCzIzBM1+m9Via3VULxBG8drUlgdx0="},
	{"v0.62.0", "h1:s8Y4Rc4W4ZTj2vmVjCtisZ8SS/qYhzlIlpkaZHo49TI="},
	{"v0.63.0", "h1:DiZPVaTjVB7IOFR5mhME2M6kn/2VwacrPZqnsShmcmo="},
}

// Newest is the newest of them.
var Newest = All[len(All)-1]

// Find returns the release with a version.
func Find(t testing.TB, version string) Release {
	t.Helper()
	for _, release := range All {
		if release.Version == version {
			return release
		}
	}
	t.Fatalf("ToolHive %s is not among the releases of compat/release", version)
	return Release{}
}

// Files returns the files of the release, and skips the test if it can't
// download them.
func (r Release) Files(t testing.TB) fs.FS {
	t.Helper()
	archive, err := zip.OpenReader(r.download(t).Zip)
	if err != nil {
		t.Fatalf("reading ToolHive %s: %v", r.Version, err)
	}
	t.Cleanup(func() {
		if err := archive.Close(); err != nil {
			t.Error(err)
		}
	})
	files, err := fs.Sub(archive, Module+"@"+r.Version)
	expect.NoError(t, err)
	return files
}

// Folder returns the folder of the release's sources, in which Go builds it, and skips
// the test as Files does.
func (r Release) Folder(t testing.TB) string {
	t.Helper()
	return r.download(t).Dir
}

type module struct{ Zip, Dir, Sum, Error string }

func (r Release) download(t testing.TB) module {
	t.Helper()
	found, err := download(t.Context(), r.Version)
	switch {
	case err != nil && os.Getenv(RequireVariable) == "required":
		t.Fatal(err)
	case err != nil:
		t.Skipf("%v (%s=required makes this a failure)", err, RequireVariable)
	}
	if found.Sum != r.Sum {
		t.Fatalf("ToolHive %s has the checksum %s, compat/release pins %s", r.Version, found.Sum, r.Sum)
	}
	return found
}

// download returns the files of a version of ToolHive. If the version needs a
// newer Go, the go command returns them as well, with an error that does not
// matter here.
func download(ctx context.Context, version string) (module, error) {
	var problems bytes.Buffer
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", Module+"@"+version) //nolint:gosec // A version of the list above.
	command.Dir, command.Stderr = os.TempDir(), &problems
	output, failed := command.Output()
	var found module
	if err := json.Unmarshal(output, &found); err != nil {
		return found, fmt.Errorf("downloading ToolHive %s: %w: %s", version, failed, problems.Bytes())
	}
	if found.Zip == "" {
		return found, fmt.Errorf("downloading ToolHive %s: %s", version, found.Error)
	}
	return found, nil
}

// Object is an object in a file of a release.
type Object struct {
	// File is the path below the folder, and Number the position of the object
	// in the file.
	File   string
	Number int
	*unstructured.Unstructured
}

func (o Object) String() string {
	return fmt.Sprintf("%s#%d %s %s", o.File, o.Number, o.GetKind(), o.GetName())
}

// Group is ToolHive's API group.
const Group = "toolhive.stacklok.dev"

// Examples returns the objects of ToolHive's group among the release's examples.
func (r Release) Examples(t testing.TB) (examples []Object) {
	t.Helper()
	for _, object := range r.objects(t, "examples/operator") {
		if strings.HasPrefix(object.GetAPIVersion(), Group+"/") {
			examples = append(examples, object)
		}
	}
	return examples
}

// CRDs returns the release's CustomResourceDefinitions.
func (r Release) CRDs(t testing.TB) (crds []*apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	for _, object := range r.objects(t, "deploy/charts/operator-crds/files/crds") {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, crd); err != nil {
			t.Fatalf("ToolHive %s, %s: %v", r.Version, object, err)
		}
		crds = append(crds, crd)
	}
	return crds
}

func (r Release) objects(t testing.TB, folder string) []Object {
	t.Helper()
	files, err := fs.Sub(r.Files(t), folder)
	expect.NoError(t, err)
	objects := Objects(t, files, ".")
	if len(objects) == 0 {
		t.Fatalf("ToolHive %s has no objects in %s", r.Version, folder)
	}
	return objects
}

// Objects returns every object of the YAML files below root, which may also be
// a file.
func Objects(t testing.TB, files fs.FS, root string) (objects []Object) {
	t.Helper()
	err := fs.WalkDir(files, root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(file) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		decoded, err := config.Decode(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for i, object := range decoded {
			objects = append(objects, Object{file, i + 1, object})
		}
		return nil
	})
	expect.NoError(t, err)
	return objects
}
