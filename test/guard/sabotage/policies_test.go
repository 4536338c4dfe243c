package sabotage_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/versions"
)

// additions returns what leaves every stated value of a policy or a binding in place,
// and can make it ineffective.
func additions(object *unstructured.Unstructured) []mutation {
	type values = map[string]any
	everything := []any{values{"apiGroups": []any{"*"}, "apiVersions": []any{"*"}, "operations": []any{"*"}, "resources": []any{"*"}}}
	selector := values{"matchLabels": values{"somebody": "else"}}
	never := values{"name": "never", "expression": "false"}
	var all []mutation
	add := func(what string, changed *unstructured.Unstructured) {
		all = append(all, mutation{fmt.Sprintf("%s %s: add %s", object.GetKind(), object.GetName(), what), []*unstructured.Unstructured{changed}})
	}
	match := "matchResources"
	if object.GetKind() == "ValidatingAdmissionPolicy" {
		match = "matchConstraints"
		conditions, _, _ := unstructured.NestedSlice(object.Object, "spec", "matchConditions")
		add("a matchCondition", with(object, append(slices.Clone(conditions), never), "spec", "matchConditions"))
		add("an audit annotation", with(object, []any{values{"key": "x", "valueExpression": "'x'"}}, "spec", "auditAnnotations"))
		add("resourceNames", with(object, []any{"x"}, "spec", match, "resourceRules", 0, "resourceNames"))
	} else {
		add("resourceRules", with(object, everything, "spec", match, "resourceRules"))
	}
	add("excludeResourceRules", with(object, everything, "spec", match, "excludeResourceRules"))
	add("an objectSelector", with(object, selector, "spec", match, "objectSelector"))
	add("labels to the namespaceSelector", with(object, selector["matchLabels"], "spec", match, "namespaceSelector", "matchLabels"))
	if _, hasParams, _ := unstructured.NestedMap(object.Object, "spec", "paramRef"); hasParams {
		add("labels to the selector of params", with(object, selector, "spec", "paramRef", "selector"))
		add("a namespace of params", with(object, "default", "spec", "paramRef", "namespace"))
	}
	return all
}

// TestPolicies changes each policy and each of its bindings. Several run at once, each
// with a checker of its own policy.
func TestPolicies(t *testing.T) {
	for _, policy := range policies(t) {
		objects := []client.Object{policy.ValidatingAdmissionPolicy}
		for _, binding := range policy.Bindings {
			objects = append(objects, binding)
		}
		t.Run(policy.Name, func(t *testing.T) {
			t.Parallel()
			checker := newChecker(t, nil, policy)
			await(t, checker, "all is effective", silent)
			for _, object := range objects {
				stored := read(t, object)
				name := stored.GetKind() + " " + stored.GetName()
				try(t, checker, stored, append(mutations(stored, "spec"), additions(stored)...), func(found map[string]canary.Finding) bool {
					return slices.Contains([]canary.Finding{
						{Cause: canary.Changed, Message: name + " was changed: replace it by that of the guard's manifest, with the mode and the default scopes of this manager"},
						{Cause: canary.Missing, Message: name + " is not installed: apply the guard's manifest again"},
					}, found[policy.Name])
				})
			}
		})
	}
}

// try changes an object in each way, and deletes it. The check must find each, and nothing
// once all is as it was.
func try(t *testing.T, checker *canary.Checker, object *unstructured.Unstructured, all []mutation, found func(map[string]canary.Finding) bool) {
	t.Helper()
	n, rejected := 1, 0
	for _, mutation := range all {
		if !store(t, mutation, object) {
			rejected++
			continue
		}
		n++
		await(t, checker, mutation.name+" is found", found)
	}
	t.Logf("%s %s: %d sabotages, all found if the test passes; %d more that the API server refuses", object.GetKind(), object.GetName(), n, rejected)
	expect.NoError(t, cluster.Client.Delete(t.Context(), object.DeepCopy()))
	if object.GetKind() == "MCPExternalAuthConfig" {
		await(t, checker, "the check stores its config again", silent)
		return
	}
	await(t, checker, object.GetName()+" is missing", found)
	expect.NoError(t, cluster.Client.Create(t.Context(), object.DeepCopy()))
	await(t, checker, object.GetName()+" is there again", silent)
}

// store updates an object to the first variant of a mutation that the API server
// accepts. It reports whether there is one, and the stored object then differs from
// before.
func store(t *testing.T, mutation mutation, before *unstructured.Unstructured) bool {
	t.Helper()
	for _, variant := range mutation.variants {
		err := overwrite(t.Context(), variant)
		switch {
		case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		case err != nil:
			t.Fatalf("%s: %v", mutation.name, err)
		default:
			return !same(variant, before)
		}
	}
	return false
}

// overwrite replaces an object by another version of it, whose content is then as the
// API server stores it.
func overwrite(ctx context.Context, object *unstructured.Unstructured) error {
	stored := object.DeepCopy()
	if err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(object), stored); err != nil {
		return err
	}
	object.SetResourceVersion(stored.GetResourceVersion())
	return cluster.Client.Update(ctx, object)
}

// TestOtherRelease upgrades policies before the manager. The label alone is no difference.
func TestOtherRelease(t *testing.T) {
	checker := newChecker(t, nil, policies(t)...)
	await(t, checker, "all is effective", silent)
	want := map[string]canary.Finding{guard.CanaryNamespace: {}}
	var before []*unstructured.Unstructured
	for _, policy := range policies(t) {
		object := read(t, policy.ValidatingAdmissionPolicy)
		before = append(before, object.DeepCopy())
		object.SetLabels(map[string]string{"app.kubernetes.io/version": "v9.9.9"})
		want[policy.Name] = canary.Finding{}
		if policy.Name == guard.ConsumersPolicy {
			replace(object.Object, []any{"spec", "validations", 0, "expression"}, "true")
			message := "ValidatingAdmissionPolicy " + policy.Name + " is of release v9.9.9, the manager is of " + versions.Own() + ": apply the manifest of one release"
			want[policy.Name] = canary.Finding{Cause: canary.OtherRelease, Message: message}
		}
		expect.NoError(t, overwrite(t.Context(), object))
	}
	await(t, checker, "only what differs is reported", func(found map[string]canary.Finding) bool { return maps.Equal(found, want) })
	for _, object := range before {
		expect.NoError(t, overwrite(t.Context(), object))
	}
	await(t, checker, "all is effective again", silent)
}

// TestDoesNotFit lets kube-controller-manager find that an expression does not fit the
// CRDs, of which it writes a warning.
func TestDoesNotFit(t *testing.T) {
	policy := policies(t)[0]
	checker := newChecker(t, nil, policy)
	await(t, checker, "all is effective", silent)
	stored := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: policy.Name}}
	wants := []canary.Finding{{Cause: canary.DoesNotFit, Message: "its expression spec.x does not fit the CRDs of this cluster: undefined field"}, {}}
	for i, warnings := range [][]admissionv1.ExpressionWarning{{{FieldRef: "spec.x", Warning: "undefined field"}}, nil} {
		cluster.Get(t, stored)
		stored.Status.TypeChecking = &admissionv1.TypeChecking{ExpressionWarnings: warnings}
		expect.NoError(t, cluster.Client.Status().Update(t.Context(), stored))
		found, err := checker.Check(t.Context())
		expect.NoError(t, err)
		expect.Equal(t, "found", wants[i], found[policy.Name])
	}
}
