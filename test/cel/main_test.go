// Package cel_test holds the API to its schema on a real API server: every case
// of the corpus, strict field names, lossless storage, and kubectl explain. The
// rules themselves are also mutated and priced, offline.
package cel_test

import (
	"flag"
	"testing"

	"github.com/scopegate/scopegate/internal/controlplane"
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

func loadSchemas(t *testing.T) []corpus.Schema {
	t.Helper()
	schemas, err := corpus.Schemas()
	expect.NoError(t, err)
	return schemas
}
