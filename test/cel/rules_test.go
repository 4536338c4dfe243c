// Package cel_test tests the CRDs with every case of the corpus on a real API server, and
// that an object that was stored before a rule stays editable. Offline it mutates the
// rules, and checks their costs, the descriptions of all fields, and that no content is
// lost.
package cel_test

import (
	"flag"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
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

// TestRules sends every case of the corpus to the API server in both versions, and
// compares the causes of rejections to the letter. TestRatcheting sends them as edits.
func TestRules(t *testing.T) {
	quiet, namespace := cluster.WithoutWarnings(t), cluster.Namespace(t)
	for _, c := range corpus.Cases(t, testdata) {
		for _, version := range versions {
			t.Run(c.Path+"/"+version, func(t *testing.T) {
				t.Parallel()
				object := corpus.As(c.Object, version, namespace, c.Object.GetName())
				got := corpus.Causes(quiet.Create(t.Context(), object, client.DryRunAll))
				if *update && !c.Accept {
					if version == versions[0] {
						rewrite(t, c, got)
					}
					return
				}
				expect.Equal(t, "causes", c.Causes, got, corpus.SameCause)
			})
		}
	}
}

func folder(c corpus.Case) string { return filepath.Dir(c.Path) }

// rewrite writes the API server's causes into the case. Read the difference
// before you commit it.
func rewrite(t *testing.T, c corpus.Case, got []metav1.StatusCause) {
	t.Helper()
	file := filepath.Join(testdata, c.Path)
	expect.WriteFile(t, file, string(corpus.WithCauses([]byte(expect.ReadFile(t, file)), got)))
}
