// Package sabotage_test changes every object that the guard's check is responsible
// for, one field at a time, and lets the check look for it. It runs on a real API
// server under the guard's RBAC.
package sabotage_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) {
	testenv.RunMain(m, func(ctx context.Context, atEnd func(func() error)) error {
		setup.DiscardLogs()
		crds, err := setup.LikeToolHive()
		if err != nil {
			return err
		}
		if cluster, err = testenv.Start(ctx, controlplane.Options{CRDs: crds, Guard: true}); err != nil {
			return err
		}
		atEnd(cluster.Stop)
		objects, err := config.Objects("guard/start-up")
		if err != nil {
			return err
		}
		for _, object := range objects {
			if err := cluster.Client.Create(ctx, object); err != nil {
				return err
			}
		}
		return cluster.StartControllers("resourcequota-controller,namespace-controller", nil)
	})
}

// policies returns the policies of the installation.
func policies(t testing.TB) []guard.Policy {
	t.Helper()
	all, err := guard.Policies(guard.ModeWarn, nil)
	expect.NoError(t, err)
	return all
}

// newChecker returns a checker of policies with the manager's rights. wrap may be nil.
func newChecker(t testing.TB, wrap func(http.RoundTripper) http.RoundTripper, policies ...guard.Policy) *canary.Checker {
	t.Helper()
	cfg := cluster.ManagerConfig()
	if wrap != nil {
		cfg.Wrap(wrap)
	}
	checker, err := canary.New(cfg, operator.Scheme, policies, nil)
	expect.NoError(t, err)
	return checker
}

// await repeats a check until ok accepts its findings. The API server has no event for
// the moment when it uses what was stored.
func await(t testing.TB, checker *canary.Checker, what string, ok func(map[string]canary.Finding) bool) {
	t.Helper()
	var found map[string]canary.Finding
	var last error
	expect.Eventually(t, what, func(ctx context.Context) (bool, error) {
		found, last = checker.Check(ctx)
		return ok(found) && last == nil, nil
	}, func() string { return fmt.Sprintf("found %q, error %v", found, last) })
}

// silent reports whether there are findings, and all policies are effective.
func silent(found map[string]canary.Finding) bool {
	for _, finding := range found {
		if finding != (canary.Finding{}) {
			return false
		}
	}
	return len(found) > 0
}

func loud(found map[string]canary.Finding) bool { return len(found) > 0 && !silent(found) }

// read returns an object as it is stored, without what the API server sets.
func read(t testing.TB, object client.Object) *unstructured.Unstructured {
	t.Helper()
	gvk, err := cluster.Client.GroupVersionKindFor(object)
	expect.NoError(t, err)
	stored := &unstructured.Unstructured{}
	stored.SetGroupVersionKind(gvk)
	expect.NoError(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(object), stored))
	return fresh(stored)
}

func fresh(object *unstructured.Unstructured) *unstructured.Unstructured {
	object = object.DeepCopy()
	object.SetResourceVersion("")
	object.SetUID("")
	object.SetManagedFields(nil)
	return object
}
