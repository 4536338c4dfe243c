// Package cel_test holds the API to its schema on a real API server: every case
// of the corpus, strict field names, lossless storage, and kubectl explain. The
// rules themselves are also mutated and priced, offline.
package cel_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const testdata = "../testdata"

var (
	cluster *testenv.Cluster
	update  = flag.Bool("update", false, "rewrite the golden files and the causes in the corpus")
)

func TestMain(m *testing.M) { testenv.Main(m, &cluster, controlplane.Options{}) }

// versions in which every object is served.
var versions = []string{"v1beta1", "v1alpha1"}

// newClient returns a client that does not print the API server's warnings: each
// request in v1alpha1 has one.
func newClient(t *testing.T) client.Client {
	t.Helper()
	cfg := rest.CopyConfig(cluster.Config)
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	quiet, err := client.New(cfg, client.Options{Scheme: operator.Scheme})
	expect.NoError(t, err)
	return quiet
}

func loadCases(t *testing.T) []corpus.Case {
	t.Helper()
	cases, err := corpus.Load(os.DirFS(testdata))
	expect.NoError(t, err)
	return cases
}

func loadSchemas(t *testing.T) []corpus.Schema {
	t.Helper()
	schemas, err := corpus.Schemas()
	expect.NoError(t, err)
	return schemas
}

// as returns a copy of an object in another version, under a name of its own.
func as(object *unstructured.Unstructured, version, namespace, name string) *unstructured.Unstructured {
	object = object.DeepCopy()
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: "toolhive.stacklok.dev", Version: version, Kind: object.GetKind()})
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// golden compares a text with a file, line by line.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		expect.NoError(t, os.WriteFile(file, []byte(got), 0o644)) //nolint:gosec // A file of the repository.
	}
	want := expect.ReadFile(t, file)
	expect.Equal(t, file+" differs; run with -update if that is meant", strings.Split(want, "\n"), strings.Split(got, "\n"))
}
