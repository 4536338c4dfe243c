package canary

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
)

// inspectAll looks at every policy as it is installed.
func (p *prober) inspectAll(ctx context.Context) (map[string]string, error) {
	policies, err := guard.Policies()
	if err != nil {
		return nil, err
	}
	var objects []client.Object
	for _, policy := range policies {
		objects = append(objects, policy.Policy)
	}
	asked, err := p.asked(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, object := range append(objects, guard.Lock()...) {
		name := object.GetName()
		switch object.(type) {
		case *admissionv1.ValidatingAdmissionPolicy:
			found[name], err = p.inspectValidating(ctx, name)
		case *admissionv1.MutatingAdmissionPolicy:
			found[name], err = p.inspectMutating(ctx, name)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		if found[name] == "" && !asked[name] {
			found[name] = "no binding asks it: apply the guard's manifest again"
		}
	}
	return found, nil
}

// asked returns the names of the policies that have a binding.
func (p *prober) asked(ctx context.Context) (map[string]bool, error) {
	validating, mutating := &admissionv1.ValidatingAdmissionPolicyBindingList{}, &admissionv1.MutatingAdmissionPolicyBindingList{}
	for _, list := range []client.ObjectList{validating, mutating} {
		if err := p.client.List(ctx, list); err != nil && !isNoKind(err) {
			return nil, fmt.Errorf("listing the bindings of the policies: %w", err)
		}
	}
	names := map[string]bool{}
	for i := range validating.Items {
		names[validating.Items[i].Spec.PolicyName] = true
	}
	for i := range mutating.Items {
		names[mutating.Items[i].Spec.PolicyName] = true
	}
	return names, nil
}

func (p *prober) inspectValidating(ctx context.Context, name string) (string, error) {
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	why, err := p.read(ctx, name, policy, "ValidatingAdmissionPolicy: it takes Kubernetes 1.30")
	if checking := policy.Status.TypeChecking; why == "" && checking != nil && len(checking.ExpressionWarnings) > 0 {
		warning := checking.ExpressionWarnings[0]
		why = fmt.Sprintf("its expression %s does not fit the CRDs of this cluster: %s", warning.FieldRef, warning.Warning)
	}
	return why, err
}

func (p *prober) inspectMutating(ctx context.Context, name string) (string, error) {
	return p.read(ctx, name, &admissionv1.MutatingAdmissionPolicy{},
		"MutatingAdmissionPolicy: it takes Kubernetes 1.36. Until then the lock refuses the update of what runs, and can't hold it")
}

func (p *prober) read(ctx context.Context, name string, into client.Object, unless string) (string, error) {
	err := p.client.Get(ctx, client.ObjectKey{Name: name}, into)
	switch {
	case err == nil:
		return "", nil
	case meta.IsNoMatchError(err):
		return "this API server has no admissionregistration.k8s.io/v1 " + unless, nil
	case apierrors.IsNotFound(err):
		return "it is not installed: apply the guard's manifest again", nil
	default:
		return "", fmt.Errorf("reading policy %s: %w", name, err)
	}
}

func isNoKind(err error) bool { return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) }
