package release_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/versions"
)

func TestFiles(t *testing.T) {
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			text, err := fs.ReadFile(r.Files(t), "go.mod")
			expect.NoError(t, err)
			if !strings.HasPrefix(string(text), "module "+release.Module+"\n") {
				t.Errorf("go.mod is of another module:\n%.100s", text)
			}
		})
	}
}

// TestTestedRange compares the list with the range that users are told.
func TestTestedRange(t *testing.T) {
	expect.Equal(t, "tested range", versions.Range{Of: "ToolHive", First: release.All[0].Version, Last: release.Newest.Version}, versions.ToolHive)
}

// TestDistinct compares the CRDs of each release with those of the next one.
func TestDistinct(t *testing.T) {
	next := specs(t, release.Newest)
	for _, r := range slices.Backward(release.All[:len(release.All)-1]) {
		found := specs(t, r)
		same := cmp.Equal(found, next)
		if distinct := slices.Contains(release.Distinct, r); distinct == same {
			t.Errorf("%s: among the distinct ones: %t, its CRDs are the same as those of the next release: %t", r.Version, distinct, same)
		}
		next = found
	}
}

func specs(t *testing.T, r release.Release) map[string]apiextensionsv1.CustomResourceDefinitionSpec {
	t.Helper()
	byName := map[string]apiextensionsv1.CustomResourceDefinitionSpec{}
	for _, crd := range r.CRDs(t) {
		byName[crd.Name] = crd.Spec
	}
	return byName
}
