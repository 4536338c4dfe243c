package condition_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/fixtures"
)

// TestKstatus checks how GitOps tools interpret each status. They must not fail a
// shared config because of one bad consumer, wait forever, or be ready too early.
func TestKstatus(t *testing.T) {
	for _, row := range fixtures.All() {
		t.Run(row.Name, func(t *testing.T) {
			result, err := status.Compute(row.Object)
			if err != nil || result.Status != row.Kstatus {
				t.Errorf("got %+v (%v), want %s", result, err, row.Kstatus)
			}
			_, found, _ := unstructured.NestedInt64(row.Object.Object, "status", "observedGeneration")
			if !found {
				return
			}
			row.Object.SetGeneration(fixtures.Generation + 1)
			if result, err := status.Compute(row.Object); err != nil || result.Status != status.InProgressStatus {
				t.Errorf("of an older generation: got %+v (%v), want %s", result, err, status.InProgressStatus)
			}
		})
	}
}

// TestRowsHaveEveryReason checks that each reason of the API is in the conditions
// of a row.
func TestRowsHaveEveryReason(t *testing.T) {
	found := map[string]bool{}
	for _, row := range fixtures.All() {
		conditions, _, _ := unstructured.NestedSlice(row.Object.Object, "status", "conditions")
		for _, condition := range conditions {
			found[condition.(map[string]any)["reason"].(string)] = true
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../../api/v1alpha1/conditions.go", nil, 0)
	expect.NoError(t, err)
	reasons := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		reasons++
		reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil || !found[reason] {
			t.Errorf("no row has the reason %s (%v)", reason, err)
		}
		return true
	})
	if reasons == 0 {
		t.Error("the API has no reasons")
	}
}
