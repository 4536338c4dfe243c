// Package cel_test tests the CRDs on a real API server: every case of the
// corpus, strict field names, lossless storage, and kubectl explain. It also
// mutates the rules and checks their costs, offline.
package cel_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"path/filepath"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
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

const owner = client.FieldOwner("test-cel")

// writes are the ways to store an object. Those with a base start from an
// accepted object of the same kind.
var writes = map[string]struct {
	base bool
	do   func(ctx context.Context, c client.Client, base, object *unstructured.Unstructured) error
}{
	"create": {do: func(ctx context.Context, c client.Client, _, object *unstructured.Unstructured) error {
		return c.Create(ctx, object)
	}},
	"create-dry-run": {do: func(ctx context.Context, c client.Client, _, object *unstructured.Unstructured) error {
		return c.Create(ctx, object, client.DryRunAll)
	}},
	"create-apply": {do: func(ctx context.Context, c client.Client, _, object *unstructured.Unstructured) error {
		return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), owner)
	}},
	"update": {base: true, do: func(ctx context.Context, c client.Client, base, object *unstructured.Unstructured) error {
		object.SetResourceVersion(base.GetResourceVersion())
		return c.Update(ctx, object)
	}},
	"update-dry-run": {base: true, do: func(ctx context.Context, c client.Client, base, object *unstructured.Unstructured) error {
		object.SetResourceVersion(base.GetResourceVersion())
		return c.Update(ctx, object, client.DryRunAll)
	}},
	"merge-patch": {base: true, do: func(ctx context.Context, c client.Client, base, object *unstructured.Unstructured) error {
		patch, err := mergePatch(base, object)
		if err != nil {
			return err
		}
		return c.Patch(ctx, base, client.RawPatch(types.MergePatchType, patch))
	}},
	"apply": {base: true, do: func(ctx context.Context, c client.Client, _, object *unstructured.Unstructured) error {
		return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), owner)
	}},
}

func mergePatch(from, to *unstructured.Unstructured) ([]byte, error) {
	before, err := json.Marshal(map[string]any{"spec": from.Object["spec"]})
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(map[string]any{"spec": to.Object["spec"]})
	if err != nil {
		return nil, err
	}
	return jsonpatch.CreateMergePatch(before, after)
}

// TestRules sends every case of the corpus to the API server in every way and
// version, and compares the causes of rejections to the letter.
func TestRules(t *testing.T) {
	cases, bases := corpus.Cases(t, testdata), map[string]corpus.Case{}
	for _, c := range cases {
		if c.Accept && bases[folder(c)].Object == nil {
			bases[folder(c)] = c
		}
	}
	quiet, namespace := cluster.WithoutWarnings(t), cluster.Namespace(t)
	for i, c := range cases {
		base, ok := bases[folder(c)]
		if !ok {
			t.Errorf("%s has no accept case", folder(c))
			continue
		}
		for _, version := range versions {
			t.Run(c.Path+"/"+version, func(t *testing.T) {
				t.Parallel()
				checkWrites(t, quiet, corpus.As(c.Object, version, namespace, fmt.Sprintf("case-%d-%s", i, version)), base.Object, c)
			})
		}
	}
}

func checkWrites(t *testing.T, quiet client.Client, object, base *unstructured.Unstructured, c corpus.Case) {
	t.Helper()
	version := object.GroupVersionKind().Version
	var stored *unstructured.Unstructured
	for write, how := range writes {
		object := corpus.As(object, version, object.GetNamespace(), object.GetName()+"-"+write)
		if how.base {
			// A rejected write leaves the base as it was, for the next.
			if stored == nil || c.Accept {
				stored = corpus.As(base, version, object.GetNamespace(), object.GetName())
				if err := quiet.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(stored), owner); err != nil {
					t.Fatalf("%s: the first accept case of the folder is rejected: %v", write, err)
				}
			}
			object.SetName(stored.GetName())
		}
		got := corpus.Causes(how.do(t.Context(), quiet, stored, object))
		if *update && !c.Accept {
			if version == versions[0] && write == "create" {
				rewrite(t, c, got)
			}
			continue
		}
		expect.Equal(t, write+": causes", c.Causes, got, corpus.SameCause)
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
