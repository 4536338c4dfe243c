// Package packaging_test tests what users install. The files of `make dist` and
// the Helm chart must install the same objects, leave nothing out, and work on
// a real API server.
//
// Most of its time went into starting API servers and tools, so tests share both.
package packaging_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

var dist string

func TestMain(m *testing.M) {
	testenv.RunMain(m, func(ctx context.Context, atEnd func(func() error)) (err error) {
		if dist, err = os.MkdirTemp("", "scopegate-dist-"); err != nil {
			return err
		}
		atEnd(func() error { return os.RemoveAll(dist) })
		atEnd(stopCluster)
		// Tests that wait for the cluster need no processor.
		return errors.Join(flag.Set("test.parallel", "8"), setup.Dist(ctx, dist))
	})
}

// distFile is the path of a file that `make dist` writes.
func distFile(name string) string { return filepath.Join(dist, name+".yaml") }

func decodeFile(t *testing.T, folder, name string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := setup.DecodeFile(filepath.Join(folder, name+".yaml"))
	expect.NoError(t, err)
	return objects
}

func kustomize(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	text, err := setup.Tool(t.Context(), "kustomize", "build", folder)
	return decode(t, text, err)
}

func decode(t *testing.T, text []byte, err error) []*unstructured.Unstructured {
	t.Helper()
	expect.NoError(t, err)
	objects, err := config.Decode(text)
	expect.NoError(t, err)
	if len(objects) == 0 {
		t.Fatal("nothing was rendered")
	}
	return objects
}

func name(object *unstructured.Unstructured) string {
	return strings.Join([]string{object.GetAPIVersion(), object.GetKind(), object.GetNamespace(), object.GetName()}, " ")
}
