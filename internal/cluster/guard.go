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
	bindings, err := c.bindings(ctx, "validatingadmissionpolicybindings", guard.ValidatingPolicies...)
	for _, binding := range bindings {
		installed.Policies = append(installed.Policies, binding.policy)
		if binding.denies {
			installed.Denies = append(installed.Denies, binding.namespaces)
		}
	}
	installed.Policies = slices.Compact(slices.Sorted(slices.Values(installed.Policies)))
	return err
}

func (c *Cluster) readHold(ctx context.Context, installed *Installation) error {
	bindings, err := c.bindings(ctx, "mutatingadmissionpolicybindings", guard.HoldPolicy)
	for _, binding := range bindings {
		installed.Holds = append(installed.Holds, binding.namespaces)
	}
	switch {
	case apierrors.IsNotFound(err):
		installed.Hold = "not-available"
	case err == nil && len(bindings) == 0:
		installed.Hold = "absent"
	case err == nil:
		installed.Hold = "installed"
	}
	return err
}

// binding is one of a policy, for some namespaces.
type binding struct {
	policy     string
	denies     bool
	namespaces labels.Selector
}

// bindings returns those of some policies. The kind for validating policies has all
// fields of that for mutating ones.
func (c *Cluster) bindings(ctx context.Context, resource string, policies ...string) ([]binding, error) {
	objects, err := c.list(ctx, admissionv1.SchemeGroupVersion.WithResource(resource), "")
	var found []binding
	for _, object := range objects {
		decoded := admissionv1.ValidatingAdmissionPolicyBinding{}
		if err := decode(object, &decoded); err != nil {
			return nil, err
		}
		namespaces := &metav1.LabelSelector{}
		if match := decoded.Spec.MatchResources; match != nil && match.NamespaceSelector != nil {
			namespaces = match.NamespaceSelector
		}
		selector, err := metav1.LabelSelectorAsSelector(namespaces)
		if err != nil {
			return nil, err
		}
		if slices.Contains(policies, decoded.Spec.PolicyName) {
			found = append(found, binding{decoded.Spec.PolicyName, slices.Contains(decoded.Spec.ValidationActions, admissionv1.Deny), selector})
		}
	}
	return found, err
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
	objects, err := c.list(ctx, resource, "")
	for _, object := range objects {
		found[object.GetName()] = object.GetLabels()
	}
	return found, err
}
