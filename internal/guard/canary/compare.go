package canary

import (
	"context"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/versions"
)

// versionLabel has the release of scopegate that a policy belongs to. Manifests from
// a clone do not have it.
const versionLabel = "app.kubernetes.io/version"

// compare returns the finding on each policy of which at least the policy itself or
// one binding could be compared. The errors are about the others.
func (c *Checker) compare(ctx context.Context) (map[string]Finding, error) {
	found := map[string]Finding{}
	var errs []error
	for _, policy := range c.policies {
		finding, err := c.comparePolicy(ctx, policy)
		switch {
		case err != nil:
			errs = append(errs, err)
		// The start-up policy is optional.
		case policy.Name != guard.StartUpPolicy || finding.Cause != Missing:
			found[policy.Name] = finding
		}
	}
	return found, errors.Join(errs...)
}

// comparePolicy compares a policy and its bindings with the file.
func (c *Checker) comparePolicy(ctx context.Context, policy guard.Policy) (Finding, error) {
	live := &admissionv1.ValidatingAdmissionPolicy{}
	finding, err := c.compareObject(ctx, policy.ValidatingAdmissionPolicy, live, func() bool {
		want := policy.Spec.DeepCopy()
		setDefaults(want.MatchConstraints)
		return equality.Semantic.DeepEqual(*want, live.Spec)
	})
	for _, binding := range policy.Bindings {
		if err != nil || finding != (Finding{}) {
			return finding, err
		}
		live := &admissionv1.ValidatingAdmissionPolicyBinding{}
		finding, err = c.compareObject(ctx, binding, live, func() bool {
			want := binding.Spec.DeepCopy()
			setDefaults(want.MatchResources)
			return equality.Semantic.DeepEqual(*want, live.Spec)
		})
		if finding.Cause == Missing {
			// The optional policy itself is there.
			finding.Cause = Changed
		}
	}
	checking := live.Status.TypeChecking
	if err == nil && finding == (Finding{}) && checking != nil && len(checking.ExpressionWarnings) > 0 {
		warning := checking.ExpressionWarnings[0]
		return Finding{DoesNotFit, fmt.Sprintf("its expression %s does not fit the CRDs of this cluster: %s", warning.FieldRef, warning.Warning)}, nil
	}
	return finding, err
}

// compareObject reads an object of the installation into live and compares it with
// the file by equal.
func (c *Checker) compareObject(ctx context.Context, want, live client.Object, equal func() bool) (Finding, error) {
	name := fmt.Sprintf("%T %s", want, want.GetName())
	if gvk, err := c.client.GroupVersionKindFor(want); err == nil {
		name = gvk.Kind + " " + want.GetName()
	}
	err := c.client.Get(ctx, client.ObjectKeyFromObject(want), live)
	own := versions.Own()
	switch {
	case apierrors.IsNotFound(err):
		return Finding{Missing, name + " is not installed: apply the guard's manifest again"}, nil
	case apierrors.IsForbidden(err):
		return Finding{NotTried, fmt.Sprintf("%s can't be read: %v", name, err)}, nil
	case err != nil:
		return Finding{}, fmt.Errorf("reading %s: %w", name, err)
	case equal():
		return Finding{}, nil
	case live.GetLabels()[versionLabel] != "" && live.GetLabels()[versionLabel] != own:
		return Finding{OtherRelease, fmt.Sprintf("%s is of release %s, the manager is of %s: apply the manifest of one release", name, live.GetLabels()[versionLabel], own)}, nil
	default:
		return Finding{Changed, name + " was changed: apply the guard's manifest again, with the mode and the default scopes of this manager"}, nil
	}
}

// setDefaults does what the API server does when it stores a policy or a binding
// (k8s.io/kubernetes/pkg/apis/admissionregistration/v1/defaults.go).
func setDefaults(match *admissionv1.MatchResources) {
	if match == nil {
		return
	}
	if match.MatchPolicy == nil {
		match.MatchPolicy = ptr.To(admissionv1.Equivalent)
	}
	if match.NamespaceSelector == nil {
		match.NamespaceSelector = &metav1.LabelSelector{}
	}
	if match.ObjectSelector == nil {
		match.ObjectSelector = &metav1.LabelSelector{}
	}
}
