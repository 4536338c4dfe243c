package check

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
)

const (
	notAvailable = "the API server has no MutatingAdmissionPolicy"
	notInstalled = "it is not installed: apply the guard's manifest again"
	notBound     = "no binding refers to it: apply the guard's manifest again"
)

// holds maps the reason why the hold can't be effective to its state in the log.
var holds = map[string]string{"": "yes", notInstalled: "no", notBound: "no", notAvailable: "not available"}

// inspect returns for each policy why it can't be effective as installed, "" if
// it can.
func (c *Checker) inspect(ctx context.Context) (map[string]string, error) {
	bindings := &admissionv1.ValidatingAdmissionPolicyBindingList{}
	if err := c.client.List(ctx, bindings); err != nil {
		return nil, fmt.Errorf("listing the bindings of the policies: %w", err)
	}
	bound := map[string]bool{}
	c.bindings = nil
	for i := range bindings.Items {
		bound[bindings.Items[i].Spec.PolicyName] = true
		if slices.Contains(guard.ValidatingPolicies, bindings.Items[i].Spec.PolicyName) {
			c.bindings = append(c.bindings, bindings.Items[i].Name)
		}
	}
	found := map[string]string{}
	for _, name := range append(slices.Clone(guard.ValidatingPolicies), guard.StartUpPolicy) {
		why, err := c.inspectPolicy(ctx, name, bound[name])
		if err != nil {
			return nil, err
		}
		// The start-up policy is optional.
		if name != guard.StartUpPolicy || why != notInstalled {
			found[name] = why
		}
	}
	why, err := c.inspectHold(ctx)
	if err != nil {
		return nil, err
	}
	c.hold = holds[why]
	if c.holdSeen = c.holdSeen || why == ""; c.holdSeen {
		found[guard.HoldPolicy] = why
	}
	return found, nil
}

func (c *Checker) inspectPolicy(ctx context.Context, name string, bound bool) (string, error) {
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	err := c.client.Get(ctx, client.ObjectKey{Name: name}, policy)
	switch {
	case apierrors.IsNotFound(err):
		return notInstalled, nil
	case err != nil:
		return "", fmt.Errorf("reading policy %s: %w", name, err)
	case !bound:
		return notBound, nil
	}
	if checking := policy.Status.TypeChecking; checking != nil && len(checking.ExpressionWarnings) > 0 {
		warning := checking.ExpressionWarnings[0]
		return fmt.Sprintf("its expression %s does not fit the CRDs of this cluster: %s", warning.FieldRef, warning.Warning), nil
	}
	return "", nil
}

// inspectHold does the same for the hold policy, which needs
// MutatingAdmissionPolicy v1.
func (c *Checker) inspectHold(ctx context.Context) (string, error) {
	err := c.client.Get(ctx, client.ObjectKey{Name: guard.HoldPolicy}, &admissionv1.MutatingAdmissionPolicy{})
	switch {
	case meta.IsNoMatchError(err):
		return notAvailable, nil
	case apierrors.IsNotFound(err):
		return notInstalled, nil
	case err != nil:
		return "", fmt.Errorf("reading policy %s: %w", guard.HoldPolicy, err)
	}
	bindings := &admissionv1.MutatingAdmissionPolicyBindingList{}
	if err := c.client.List(ctx, bindings); err != nil {
		return "", fmt.Errorf("listing the bindings of policy %s: %w", guard.HoldPolicy, err)
	}
	for i := range bindings.Items {
		if bindings.Items[i].Spec.PolicyName == guard.HoldPolicy {
			return "", nil
		}
	}
	return notBound, nil
}
