package cluster

import (
	"context"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/scopegate/scopegate/internal/guard"
)

// Installation is what is installed of the guard, and for which namespaces.
type Installation struct {
	// Policies are the names of its validating policies that are bound, in order.
	Policies []string
	// StartUp reports whether the policy on other refusals at start is bound.
	StartUp bool
	// Hold is the policy that holds rollouts: installed, absent, not-available where
	// the API server has no MutatingAdmissionPolicy, or "" where it can't be told.
	Hold string
	// Denies select the namespaces in which a policy denies, Holds those of the hold.
	Denies, Holds Selectors
	// Namespaces are their labels.
	Namespaces map[string]labels.Set
}

// Selectors select what one of them selects.
type Selectors []labels.Selector

func (s *Selectors) add(match *admissionv1.MatchResources) {
	if match == nil || match.NamespaceSelector == nil {
		*s = append(*s, labels.Everything())
	} else if selector, err := metav1.LabelSelectorAsSelector(match.NamespaceSelector); err == nil {
		// The API server stores no other.
		*s = append(*s, selector)
	}
}

// Match reports whether they select what has labels.
func (s Selectors) Match(set labels.Set) bool {
	return slices.ContainsFunc(s, func(selector labels.Selector) bool { return selector.Matches(set) })
}

// Installation returns what is installed of the guard; an empty namespace stands for
// all. It adds to hidden what could not be read.
func (c *Cluster) Installation(ctx context.Context, namespace string, hidden map[string]string) (Installation, error) {
	var installed Installation
	for what, read := range map[string]func() error{
		"bindings of policies": func() error { return c.readPolicies(ctx, &installed) },
		"bindings of the hold": func() error { return c.readHold(ctx, &installed) },
		"labels of namespaces": func() (err error) { installed.Namespaces, err = c.Namespaces(ctx, namespace); return },
	} {
		if err := read(); apierrors.IsForbidden(err) {
			hidden[what] = err.Error()
		} else if err != nil && !apierrors.IsNotFound(err) {
			return installed, err
		}
	}
	return installed, nil
}

func (c *Cluster) readPolicies(ctx context.Context, installed *Installation) error {
	bindings, err := listAs[admissionv1.ValidatingAdmissionPolicyBinding](ctx, c, admissionv1.SchemeGroupVersion.WithResource("validatingadmissionpolicybindings"))
	for _, binding := range bindings {
		if binding.Spec.PolicyName == guard.StartUpPolicy {
			installed.StartUp = true
		}
		if !slices.Contains(guard.ValidatingPolicies, binding.Spec.PolicyName) {
			continue
		}
		installed.Policies = append(installed.Policies, binding.Spec.PolicyName)
		if slices.Contains(binding.Spec.ValidationActions, admissionv1.Deny) {
			installed.Denies.add(binding.Spec.MatchResources)
		}
	}
	installed.Policies = slices.Compact(slices.Sorted(slices.Values(installed.Policies)))
	return err
}

func (c *Cluster) readHold(ctx context.Context, installed *Installation) error {
	bindings, err := listAs[admissionv1.MutatingAdmissionPolicyBinding](ctx, c, admissionv1.SchemeGroupVersion.WithResource("mutatingadmissionpolicybindings"))
	switch {
	case apierrors.IsNotFound(err):
		installed.Hold = "not-available"
	case err == nil:
		installed.Hold = "absent"
	}
	for _, binding := range bindings {
		if binding.Spec.PolicyName == guard.HoldPolicy {
			installed.Hold = "installed"
			installed.Holds.add(binding.Spec.MatchResources)
		}
	}
	return err
}

// Namespaces returns the labels of a namespace; an empty one stands for all.
func (c *Cluster) Namespaces(ctx context.Context, namespace string) (map[string]labels.Set, error) {
	resource := corev1.SchemeGroupVersion.WithResource("namespaces")
	found := map[string]labels.Set{}
	if namespace != "" {
		object, err := c.client.Resource(resource).Get(ctx, namespace, metav1.GetOptions{})
		if err == nil {
			found[namespace] = object.GetLabels()
		}
		return found, err
	}
	all, err := listAs[corev1.Namespace](ctx, c, resource)
	for _, one := range all {
		found[one.Name] = one.Labels
	}
	return found, err
}
