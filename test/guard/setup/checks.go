package setup

import (
	"context"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/mistakes"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// CheckStartUp tries the policy on start-up with configs that the gate of standalone
// mode holds or not, in both versions. It must admit every accept case of the corpus.
func CheckStartUp(t *testing.T, cluster *testenv.Cluster, root string) {
	t.Helper()
	namespace, err := Namespace(t.Context(), cluster.Client, guard.ModeStrict)
	expect.NoError(t, err)
	expect.NoError(t, Settle(t.Context(), cluster.Client))
	quiet := cluster.WithoutWarnings(t)
	check := func(name string, object *unstructured.Unstructured, accept bool) {
		for _, version := range []string{"v1beta1", "v1alpha1"} {
			t.Run(name+"/"+version, func(t *testing.T) {
				object := corpus.As(object, version, namespace, object.GetName())
				CheckRefusedAtStart(t, quiet.Create(t.Context(), object, client.DryRunAll), object, accept)
			})
		}
	}
	for name, c := range mistakes.Cases() {
		for kind := range mistakes.Kinds {
			check(name+"/"+kind, c.Object(kind, namespace, "login"), c.Field == "" || c.Left)
		}
	}
	for _, c := range corpus.Cases(t, root) {
		if c.Accept && mistakes.Kinds[c.Object.GetKind()] != "" {
			check(c.Path, c.Object, true)
		}
	}
}

// CheckRefusedAtStart checks the API server's answer to an edit of an object. The
// policy on start-up must reject the edit, or must not if accept is true.
func CheckRefusedAtStart(t *testing.T, err error, object *unstructured.Unstructured, accept bool) {
	t.Helper()
	refusal, refused := AsRefusal(err)
	// A rule of the CRD or another policy may reject what this one admits. A refusal by a
	// policy is invalid too.
	admitted := err == nil || !refused && apierrors.IsInvalid(err) || refused && refusal.Policy != guard.StartUpPolicy ||
		// As installed, it ignores a text that is not a duration. Here it fails.
		strings.Contains(err.Error(), "type conversion error from 'string' to 'google.protobuf.Duration'")
	refused = refused && refusal.Policy == guard.StartUpPolicy
	switch {
	case accept && admitted, !accept && refused && strings.HasPrefix(refusal.Message, object.GetKind()+` "`+object.GetName()+`": `):
	default:
		t.Errorf("accept %t: the API server says %v", accept, err)
	}
}

// CheckTypes lets kube-controller-manager check the expressions against the
// types of the CRDs, as it does in a cluster. No status may have a warning.
func CheckTypes(t *testing.T, cluster *testenv.Cluster) {
	t.Helper()
	policies, err := guard.Policies(guard.ModeWarn, nil)
	expect.NoError(t, err)
	// One that must get a warning.
	wrong := policies[0].DeepCopy()
	wrong.Name, wrong.Spec.Validations[0].Expression = "misspelt", "object.spec.misspelt == ''"
	cluster.Create(t, wrong)
	expect.NoError(t, cluster.StartControllers("validatingadmissionpolicy-status-controller", nil))
	for _, name := range append(slices.Clone(guard.PolicyNames), guard.StartUpPolicy, wrong.Name) {
		stored := &admissionv1.ValidatingAdmissionPolicy{}
		expect.Eventually(t, name+" has a status.typeChecking", func(ctx context.Context) (bool, error) {
			err := cluster.Client.Get(ctx, client.ObjectKey{Name: name}, stored)
			return stored.Status.TypeChecking != nil, err
		})
		checking := stored.Status.TypeChecking
		if found := len(checking.ExpressionWarnings) > 0; found != (name == wrong.Name) {
			t.Errorf("%s: %+v", name, checking.ExpressionWarnings)
		}
	}
}
