// Package ratchet_test holds the rules to what they promise objects that were
// stored before them: such an object stays editable until something is touched
// that a rule reads. It has a control plane of its own, since it takes the rules
// out of the CRDs for a while.
package ratchet_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) { testenv.Main(m, &cluster, controlplane.Options{}) }

// suite is what the tests share: a namespace, and a client that does not print
// the warnings of v1alpha1.
type suite struct {
	client.Client
	namespace string
}

func newSuite(t *testing.T) suite {
	t.Helper()
	return suite{Client: cluster.Quiet(t), namespace: cluster.Namespace(t)}
}

// withoutRules runs store while the CRDs have no rules, and returns when the API
// server enforces them again.
func (s suite) withoutRules(t *testing.T, cases []corpus.Case, store func()) {
	t.Helper()
	original, err := config.Objects("crd")
	expect.NoError(t, err)
	weak := make([]*unstructured.Unstructured, len(original))
	for i, crd := range original {
		weak[i] = crd.DeepCopy()
		removeRules(weak[i].Object)
	}
	s.replaceCRDs(t, weak, cases, false)
	store()
	s.replaceCRDs(t, original, cases, true)
}

// removeRules removes the rules of a schema, at all levels.
func removeRules(value any) {
	switch value := value.(type) {
	case map[string]any:
		delete(value, "x-kubernetes-validations")
		for _, inner := range value {
			removeRules(inner)
		}
	case []any:
		for _, inner := range value {
			removeRules(inner)
		}
	}
}

// replaceCRDs writes CRDs and waits until each kind's objects are evaluated so.
func (s suite) replaceCRDs(t *testing.T, crds []*unstructured.Unstructured, cases []corpus.Case, enforced bool) {
	t.Helper()
	for _, crd := range crds {
		stored := &unstructured.Unstructured{}
		stored.SetGroupVersionKind(crd.GroupVersionKind())
		expect.NoError(t, s.Get(t.Context(), client.ObjectKeyFromObject(crd), stored))
		crd = crd.DeepCopy()
		crd.SetResourceVersion(stored.GetResourceVersion())
		expect.NoError(t, s.Update(t.Context(), crd))
	}
	probes := map[string]corpus.Case{}
	for _, c := range cases {
		if !c.Accept {
			probes[c.Object.GetKind()] = c
		}
	}
	for kind, probe := range probes {
		if err := s.awaitEnforced(t.Context(), probe, enforced); err != nil {
			t.Fatalf("waiting until the rules of %s are enforced=%v: %v", kind, enforced, err)
		}
	}
}

// awaitEnforced asks the API server for a verdict until it is the one that the
// CRD implies: it takes a moment to serve a new schema and has no event for it.
func (s suite) awaitEnforced(ctx context.Context, probe corpus.Case, enforced bool) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		for _, version := range []string{"v1alpha1", "v1beta1"} {
			last = s.Create(ctx, s.object(probe.Object, version, "probe"), client.DryRunAll)
			if last != nil && !apierrors.IsInvalid(last) {
				return false, last
			}
			if apierrors.IsInvalid(last) != enforced {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// object returns a copy in a version, under a name of its own.
func (s suite) object(object *unstructured.Unstructured, version, name string) *unstructured.Unstructured {
	object = object.DeepCopy()
	object.SetAPIVersion(fmt.Sprintf("toolhive.stacklok.dev/%s", version))
	object.SetNamespace(s.namespace)
	object.SetName(name)
	return object
}
