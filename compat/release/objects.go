package release

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// Object is an object in a file of a release.
type Object struct {
	// File below its folder, and the number of the object in it.
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

// objects returns every object of the YAML files below a folder of the release.
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

// Objects returns every object of the YAML files below a root, or in it.
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
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
		for number := 1; ; number++ {
			object := &unstructured.Unstructured{}
			switch err := decoder.Decode(&object.Object); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return fmt.Errorf("%s: %w", file, err)
			}
			objects = append(objects, Object{file, number, object})
		}
	})
	expect.NoError(t, err)
	return objects
}
