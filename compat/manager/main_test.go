// Package manager_test runs the guard's manager on ToolHive's own CRDs, under
// the guard's RBAC. The tests play ToolHive's operator: they write statuses as
// it does.
package manager_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/e2e/chart"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) {
	testenv.RunMain(m, func(ctx context.Context, atEnd func(func() error)) error {
		crds, err := chart.CRDs("../..")
		if err != nil {
			return err
		}
		if cluster, err = testenv.Start(ctx, controlplane.Options{CRDs: []*apiextensionsv1.CustomResourceDefinition{}, Guard: true}); err != nil {
			return err
		}
		atEnd(cluster.Stop)
		_, err = envtest.InstallCRDs(cluster.Config, envtest.CRDInstallOptions{Paths: []string{crds}, ErrorIfPathMissing: true, MaxTime: time.Minute})
		return err
	})
}

// writeAll replaces all conditions of an object by a merge patch, as ToolHive's
// operator does after it has read an object that may be old.
func writeAll(t *testing.T, object kinds.Object, conditions ...metav1.Condition) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": conditions}})
	expect.NoError(t, err)
	target := object.DeepCopyObject().(client.Object)
	expect.NoError(t, cluster.Client.Status().Patch(t.Context(), target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("thv-operator")))
}

func condition(conditionType, reason string) metav1.Condition {
	return metav1.Condition{
		Type: conditionType, Status: metav1.ConditionTrue, Reason: reason, Message: "by ToolHive", LastTransitionTime: metav1.Now(),
	}
}

// await waits until ok accepts the condition BaselineScopesValid of an object.
// A missing condition is empty.
func await[T kinds.Object](t *testing.T, object T, what string, ok func(metav1.Condition) bool) T {
	t.Helper()
	return testenv.Await(t, cluster.Client, object, what, func(seen T) bool {
		return ok(testenv.Valid(seen))
	})
}
