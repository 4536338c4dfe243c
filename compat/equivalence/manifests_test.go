package equivalence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testenv"
)

// example is an object of one of scopegate's kinds in ToolHive's examples.
type example struct {
	file   string
	number int
	*unstructured.Unstructured
}

func (e example) String() string {
	return fmt.Sprintf("%s#%d %s %s", e.file, e.number, e.GetKind(), e.GetName())
}

// examples returns the example objects of a release of scopegate's kinds.
func examples(t *testing.T, r release.Release) []example {
	t.Helper()
	const folder = "examples/operator"
	files, kinds := r.Files(t), admissions(t)
	var found []example
	err := fs.WalkDir(files, folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(file) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
		name := strings.TrimPrefix(file, folder+"/")
		for number := 1; ; number++ {
			decoded := &unstructured.Unstructured{}
			switch err := decoder.Decode(&decoded.Object); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return fmt.Errorf("%s: %w", name, err)
			case kinds[decoded.GetKind()] != nil && strings.HasPrefix(decoded.GetAPIVersion(), "toolhive.stacklok.dev/"):
				found = append(found, example{name, number, decoded})
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestExamplesApply creates ToolHive's example manifests on a real API server
// with scopegate's CRDs, with strict field validation, and reads them back: every
// value of the manifest is in the stored object.
func TestExamplesApply(t *testing.T) {
	if os.Getenv(controlplane.AssetsVariable) == "" {
		t.Skipf("%s is not set: `make test` sets it", controlplane.AssetsVariable)
	}
	cluster, err := testenv.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cluster.Rollouts.Stop()
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			kinds := tally{}
			for _, example := range examples(t, r) {
				t.Run(example.String(), func(t *testing.T) { apply(t, cluster, example) })
				kinds[example.GetKind()]++
			}
			t.Logf("examples of ToolHive %s on a real API server: %v", r.Version, kinds)
			if len(kinds) != 5 {
				t.Errorf("examples of %d kinds, want 5: %v", len(kinds), kinds)
			}
		})
	}
}

// apply creates an example and reads it back.
func apply(t *testing.T, cluster *testenv.Cluster, example example) {
	manifest := example.DeepCopy()
	manifest.SetNamespace(cluster.Namespace(t))
	stored := manifest.DeepCopy()
	if err := client.WithFieldValidation(cluster.Client, "Strict").Create(t.Context(), stored); err != nil {
		t.Fatalf("it does not apply: %v", err)
	}
	// Reads what etcd has, not what the create answered.
	if err := cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(stored), stored); err != nil {
		t.Fatal(err)
	}
	if lost := lostValues("", normal(t, manifest.Object), normal(t, stored.Object)); len(lost) > 0 {
		t.Errorf("it does not come back whole:\n%s", strings.Join(lost, "\n"))
	}
}

// lostValues names what is in the manifest and not, or not the same, in the
// stored object. Lists must be equal in length.
func lostValues(path string, manifest, stored any) []string {
	switch manifest := manifest.(type) {
	case object:
		storedObject, ok := stored.(object)
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

// TestExamplesRunConfig compares the run configs of ToolHive's examples that have
// an embedded auth server, with a consumer where the example has none.
func TestExamplesRunConfig(t *testing.T) {
	byKind, seen, compared := admissions(t), tally{}, 0
	for _, example := range examples(t, release.Of(t, release.Compiled)) {
		spec, _ := example.Object["spec"].(object)
		if spec["embeddedAuthServer"] == nil && spec["authServerConfig"] == nil {
			seen["without an embedded auth server"]++
			continue
		}
		config, consumer := example.Object, object{
			"apiVersion": example.GetAPIVersion(), "kind": "MCPServer",
			"metadata": object{"name": "web", "namespace": example.GetNamespace()},
			"spec": object{
				"image": "example.com/mcp:1", "authServerRef": object{"kind": "MCPExternalAuthConfig", "name": example.GetName()},
				"oidcConfigRef": object{"name": "oidc", "audience": "https://mcp.example.com", "resourceUrl": "https://mcp.example.com", "scopes": []any{"openid", "mcp:read"}},
			},
		}
		if example.GetKind() == "VirtualMCPServer" {
			config, consumer = nil, example.Object
		}
		for _, each := range []object{config, consumer} {
			if each == nil {
				continue
			}
			if errs := byKind[each["kind"].(string)].create(each); len(errs) > 0 {
				t.Fatalf("%s: %v", example, errs.ToAggregate())
			}
		}
		pair := resolvePair(t, consumer, config)
		checked, hold := rollout.Check(pair.Pair, true)
		if hold != nil {
			t.Logf("%s is held: %s: %s", example, hold.Reason, hold.Message)
			seen["held "+hold.Reason]++
			continue
		}
		if diff := compareRunConfig(t, pair, checked.RunConfig()); diff != "" {
			t.Errorf("%s (-ToolHive +scopegate):\n%s", example, diff)
		}
		compared++
	}
	t.Logf("run configs of examples: %d compared (%v)", compared, seen)
	if compared == 0 {
		t.Error("not one run config was compared")
	}
}
