package crds

import (
	"flag"
	"io/fs"
	"path"
	"strings"
	"testing"

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

var all = flag.Bool("all", false, "run TestGuard on all releases, not only on the oldest and the newest")

// TestGuard installs the guard's policies on a real API server with the CRDs of
// the oldest and the newest release, and with -all of those between them too.
func TestGuard(t *testing.T) {
	setup.DiscardLogs()
	releases := []release.Release{release.All[0], release.Newest}
	if *all {
		releases = release.All
	}
	for _, r := range releases {
		t.Run(r.Version, func(t *testing.T) {
			// The test spends about half of its time waiting for the API
			// server.
			t.Parallel()
			cluster := testenv.StartForTest(t, controlplane.Options{CRDs: r.CRDs(t)})
			expect.NoError(t, setup.Install(t.Context(), cluster.Client))
			expect.NoError(t, setup.Settle(t.Context(), cluster.Client))
			t.Run("types", func(t *testing.T) { setup.CheckTypes(t, cluster) })
			t.Run("start-up", func(t *testing.T) { setup.CheckStartUp(t, cluster, "../../test/testdata") })
			t.Run("random edits", func(t *testing.T) { setup.CheckRandom(t, cluster, 20, 1) })
			t.Run("tried", func(t *testing.T) { checkTried(t, cluster) })
			t.Run("examples", func(t *testing.T) { checkExamples(t, cluster, r.Examples(t)) })
		})
	}
}

// checkTried creates by dry run what the manager tries in a cluster. The policy that the
// file names must reject each object, which the CRDs therefore accept.
func checkTried(t *testing.T, cluster *testenv.Cluster) {
	files, err := fs.Glob(config.Files, "guard/canary/tried/*.yaml")
	expect.NoError(t, err)
	tried := map[string][]*unstructured.Unstructured{}
	for _, file := range files {
		text, err := config.Files.ReadFile(file)
		expect.NoError(t, err)
		objects, err := config.Decode(text)
		expect.NoError(t, err)
		tried[strings.TrimSuffix(path.Base(file), ".yaml")] = objects
	}
	if len(tried["refused-by-quota"]) == 0 || len(tried["stored"]) != 1 {
		t.Fatalf("the files are %v", files)
	}
	cluster.Create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guard.CanaryNamespace, Labels: map[string]string{guard.ModeLabel: guard.ModeStrict}}})
	strictly := client.WithFieldValidation(cluster.Client, "Strict")
	expect.NoError(t, strictly.Create(t.Context(), tried["stored"][0]))
	delete(tried, "stored")
	expect.NoError(t, setup.Settle(t.Context(), cluster.Client))
	for policy, objects := range tried {
		for _, object := range objects {
			err := strictly.Create(t.Context(), object.DeepCopy(), client.DryRunAll)
			if policy == "refused-by-quota" {
				// No quota is installed here.
				expect.NoError(t, err)
			} else if refusal, _ := setup.AsRefusal(err); refusal.Policy != policy {
				t.Errorf("%s of %s.yaml: %v", object.GetKind(), policy, err)
			}
		}
	}
}

// checkExamples creates ToolHive's examples where the guard is strict: no policy may reject
// them. ToolHive's own CRDs reject a few.
func checkExamples(t *testing.T, cluster *testenv.Cluster, examples []release.Object) {
	// Objects of several files have the same name.
	namespaces := map[string]string{}
	for _, example := range examples {
		if namespaces[example.File] == "" {
			namespace, err := setup.Namespace(t.Context(), cluster.Client, guard.ModeStrict)
			expect.NoError(t, err)
			namespaces[example.File] = namespace
		}
	}
	expect.NoError(t, setup.Settle(t.Context(), cluster.Client))
	accepted := 0
	for _, example := range examples {
		object := example.DeepCopy()
		object.SetNamespace(namespaces[example.File])
		err := cluster.Client.Create(t.Context(), object)
		if refusal, refused := setup.AsRefusal(err); refused {
			t.Errorf("%s: %+v", example, refusal)
		}
		if err == nil {
			accepted++
		}
	}
	t.Logf("%d of %d examples are accepted, the others are not refused by a policy", accepted, len(examples))
	if accepted == 0 {
		t.Error("no example is accepted")
	}
}
