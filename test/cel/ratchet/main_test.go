// Package ratchet_test holds the rules to what they promise objects that were
// stored before them: such an object stays editable until something is touched
// that a rule reads. It has a control plane of its own, since it takes the rules
// out of the CRDs for a while.
package ratchet_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
		corpus.Weaken(weak[i].Object, "x-kubernetes-validations")
	}
	corpus.ReplaceCRDs(t, s, s.namespace, weak, cases, false)
	store()
	corpus.ReplaceCRDs(t, s, s.namespace, original, cases, true)
}

// object returns a copy in a version, under a name of its own.
func (s suite) object(object *unstructured.Unstructured, version, name string) *unstructured.Unstructured {
	return corpus.As(object, version, s.namespace, name)
}
