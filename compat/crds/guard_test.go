package crds

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

var (
	namespaces = flag.Int("namespaces", 20, "how many random namespaces to compare on each release")
	all        = flag.Bool("all", false, "run TestGuard on all releases, not only on the oldest, the compiled and the newest")
)

// TestGuard installs the guard's policies on a real API server with the CRDs of
// several releases.
func TestGuard(t *testing.T) {
	setup.DiscardLogs()
	releases := []release.Release{release.Distinct[0], release.Find(t, release.Compiled), release.Newest}
	if *all {
		releases = release.Distinct
	}
	for _, r := range releases {
		t.Run(r.Version, func(t *testing.T) {
			// The test spends about half of its time waiting for the API
			// server.
			t.Parallel()
			cluster := start(t, controlplane.Options{CRDs: r.CRDs(t)})
			expect.NoError(t, setup.Install(t.Context(), cluster.Client))
			expect.NoError(t, setup.Settle(t.Context(), cluster.Client))
			t.Run("types", func(t *testing.T) { setup.CheckTypes(t, cluster) })
			t.Run("corpus", func(t *testing.T) { setup.CheckCorpus(t, cluster, "../../test/testdata") })
			t.Run("start-up", func(t *testing.T) { setup.CheckStartUp(t, cluster, "../../test/testdata") })
			t.Run("random edits", func(t *testing.T) { setup.CheckRandom(t, cluster, *namespaces, 1) })
			t.Run("tried", func(t *testing.T) { checkTried(t, cluster) })
			t.Run("examples", func(t *testing.T) { compareExamples(t, cluster, r.Examples(t)) })
			if r == release.Newest {
				for _, object := range newFields(t) {
					t.Run(object.String(), func(t *testing.T) { apply(t, cluster, object) })
				}
			}
		})
	}
}

// checkTried creates by dry run what the manager tries in a cluster. The CRDs must accept
// every object; the policy that the file names must reject it.
func checkTried(t *testing.T, cluster *testenv.Cluster) {
	cluster.Create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guard.CanaryNamespace, Labels: map[string]string{guard.ModeLabel: guard.ModeOff}}})
	expect.NoError(t, setup.Settle(t.Context(), cluster.Client))
	strictly := client.WithFieldValidation(cluster.Client, "Strict")
	files, err := fs.Glob(config.Files, "guard/canary/tried/*.yaml")
	expect.NoError(t, err)
	tried := map[string][]*unstructured.Unstructured{}
	for _, file := range files {
		text, err := config.Files.ReadFile(file)
		expect.NoError(t, err)
		objects, err := config.Decode(text)
		expect.NoError(t, err)
		tried[strings.TrimSuffix(path.Base(file), ".yaml")] = objects
		for _, object := range objects {
			if err := strictly.Create(t.Context(), object.DeepCopy(), client.DryRunAll); err != nil {
				t.Errorf("%s: %s: %v", file, object.GetKind(), err)
			}
		}
	}
	if len(tried["quota"]) == 0 || len(tried["stored"]) != 1 {
		t.Fatalf("the files are %v", files)
	}
	cluster.Create(t, tried["stored"][0].DeepCopy())
	expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, guard.CanaryNamespace, guard.ModeStrict))
	expect.NoError(t, setup.Settle(t.Context(), cluster.Client))
	for policy, objects := range tried {
		if policy == "stored" {
			continue
		}
		for _, object := range objects {
			refusal, _ := setup.AsRefusal(strictly.Create(t.Context(), object.DeepCopy(), client.DryRunAll))
			if want := strings.TrimPrefix(policy, "quota"); refusal.Policy != want {
				t.Errorf("%s of %s.yaml is rejected by %+v, want %q", object.GetKind(), policy, refusal, want)
			}
		}
	}
}

func start(t *testing.T, options controlplane.Options) *testenv.Cluster {
	t.Helper()
	if os.Getenv(controlplane.AssetsVariable) == "" {
		t.Skipf("%s is not set: `make test` sets it", controlplane.AssetsVariable)
	}
	return testenv.StartForTest(t, options)
}

// compareExamples creates the examples of each file in two namespaces. The
// guard is off in one and strict in the other. The API server must give the
// same answers in both.
func compareExamples(t *testing.T, cluster *testenv.Cluster, examples []release.Object) {
	without, with := map[string]string{}, map[string]string{}
	for _, example := range examples {
		if without[example.File] == "" {
			without[example.File] = namespaceIn(t, cluster, guard.ModeOff)
			with[example.File] = namespaceIn(t, cluster, guard.ModeStrict)
		}
	}
	expect.NoError(t, setup.Settle(t.Context(), cluster.Client))
	accepted, refused := 0, 0
	for _, example := range examples {
		want := create(t, cluster, example, without[example.File])
		if diff := cmp.Diff(want, create(t, cluster, example, with[example.File])); diff != "" {
			t.Errorf("%s (-without the guard +with):\n%s", example, diff)
		}
		if want == "" {
			accepted++
		} else {
			refused++
			t.Logf("%s is refused without the guard too: %s", example, want)
		}
	}
	t.Logf("examples: %d accepted and %d refused, with the guard as without", accepted, refused)
}

func namespaceIn(t *testing.T, cluster *testenv.Cluster, mode string) string {
	t.Helper()
	namespace, err := setup.Namespace(t.Context(), cluster.Client, mode)
	expect.NoError(t, err)
	return namespace
}

// create creates an example in a namespace. It returns the API server's error,
// or "" if the API server accepts the example.
func create(t *testing.T, cluster *testenv.Cluster, example release.Object, namespace string) string {
	t.Helper()
	object := example.DeepCopy()
	object.SetNamespace(namespace)
	if err := client.WithFieldValidation(cluster.Client, "Strict").Create(t.Context(), object); err != nil {
		return strings.ReplaceAll(err.Error(), namespace, path.Base(example.File))
	}
	return ""
}

// TestExamplesApply creates ToolHive's example manifests on a real API server with
// scopegate's CRDs, with strict field validation, and reads them back. The stored
// object must contain every value of the manifest. It does the same with objects that
// set the fields of later releases. TestGuard creates the examples on ToolHive's
// CRDs.
func TestExamplesApply(t *testing.T) {
	cluster := start(t, controlplane.Options{})
	own := map[string]bool{}
	crds, err := config.CRDs()
	expect.NoError(t, err)
	for _, crd := range crds {
		own[crd.Spec.Names.Kind] = true
	}
	for _, r := range release.Distinct {
		t.Run(r.Version, func(t *testing.T) {
			kinds := map[string]int{}
			for _, example := range r.Examples(t) {
				if !own[example.GetKind()] {
					continue
				}
				t.Run(example.String(), func(t *testing.T) { apply(t, cluster, example) })
				kinds[example.GetKind()]++
			}
			t.Logf("examples of ToolHive %s on a real API server: %v", r.Version, kinds)
			if len(kinds) != len(own) {
				t.Errorf("examples of %d kinds, want %d: %v", len(kinds), len(own), kinds)
			}
		})
	}
	for _, object := range newFields(t) {
		t.Run(object.String(), func(t *testing.T) { apply(t, cluster, object) })
	}
}

// newFields returns objects that set every field that ToolHive added after
// v0.47.0.
func newFields(t *testing.T) []release.Object {
	t.Helper()
	return release.Objects(t, os.DirFS("testdata"), "new-fields.yaml")
}

func apply(t *testing.T, cluster *testenv.Cluster, example release.Object) {
	manifest := example.DeepCopy()
	manifest.SetNamespace(cluster.Namespace(t))
	stored := manifest.DeepCopy()
	if err := client.WithFieldValidation(cluster.Client, "Strict").Create(t.Context(), stored); err != nil {
		t.Fatalf("the API server rejects it: %v", err)
	}
	// Read the stored object, because the response to the create may differ.
	cluster.Get(t, stored)
	if lost := lostValues("", normal(t, manifest.Object), normal(t, stored.Object)); len(lost) > 0 {
		t.Errorf("the stored object differs:\n%s", strings.Join(lost, "\n"))
	}
}

// lostValues returns the values of the manifest that the stored object lacks or
// changes. Lists must have the same length.
func lostValues(path string, manifest, stored any) []string {
	switch manifest := manifest.(type) {
	case map[string]any:
		storedObject, ok := stored.(map[string]any)
		if !ok {
			return []string{path + " is lost"}
		}
		var lost []string
		for name, value := range manifest {
			lost = append(lost, lostValues(path+"."+name, value, storedObject[name])...)
		}
		return lost
	case []any:
		storedList, ok := stored.([]any)
		if !ok || len(storedList) != len(manifest) {
			return []string{fmt.Sprintf("%s has %d entries, stored are %v", path, len(manifest), stored)}
		}
		var lost []string
		for i, value := range manifest {
			lost = append(lost, lostValues(fmt.Sprintf("%s[%d]", path, i), value, storedList[i])...)
		}
		return lost
	case nil:
		// A null is a field that is not set.
		return nil
	default:
		if diff := cmp.Diff(manifest, stored); diff != "" {
			return []string{path + " differs (-manifest +stored):\n" + diff}
		}
		return nil
	}
}
