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

// Whether the policy that holds rollouts is bound.
const (
	HoldInstalled = "installed"
	HoldAbsent    = "absent"
	// HoldNotAvailable is where the API server has no MutatingAdmissionPolicy.
	HoldNotAvailable = "not-available"
)

// Installation is what is installed of the guard, and for which namespaces.
type Installation struct {
	// Policies are the names of its validating policies that are bound, in order.
	Policies []string
	// Denies select the namespaces in which a policy denies, Holds those of the hold.
	Denies, Holds Selectors
	// Hold is one of the constants, "" where it can't be told.
	Hold string
	// Namespaces are their labels.
	Namespaces map[string]labels.Set
}

// Selectors select what one of them does.
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
	return c.eachBinding(ctx, "validatingadmissionpolicybindings", guard.ValidatingPolicies, func(spec admissionv1.ValidatingAdmissionPolicyBindingSpec, namespaces labels.Selector) {
		if !slices.Contains(installed.Policies, spec.PolicyName) {
			installed.Policies = append(installed.Policies, spec.PolicyName)
			slices.Sort(installed.Policies)
		}
		if slices.Contains(spec.ValidationActions, admissionv1.Deny) {
			installed.Denies = append(installed.Denies, namespaces)
		}
	})
}

func (c *Cluster) readHold(ctx context.Context, installed *Installation) error {
	err := c.eachBinding(ctx, "mutatingadmissionpolicybindings", []string{guard.HoldPolicy}, func(_ admissionv1.ValidatingAdmissionPolicyBindingSpec, namespaces labels.Selector) {
		installed.Holds = append(installed.Holds, namespaces)
	})
	switch {
	case apierrors.IsNotFound(err):
		installed.Hold = HoldNotAvailable
	case len(installed.Holds) > 0:
		installed.Hold = HoldInstalled
	case err == nil:
		installed.Hold = HoldAbsent
	}
	return err
}

// eachBinding calls do for the bindings of policies. The kind for validating policies
// has all fields of that for mutating ones.
func (c *Cluster) eachBinding(ctx context.Context, resource string, policies []string, do func(admissionv1.ValidatingAdmissionPolicyBindingSpec, labels.Selector)) error {
	objects, err := c.list(ctx, admissionv1.SchemeGroupVersion.WithResource(resource), "")
	for _, object := range objects {
		var binding admissionv1.ValidatingAdmissionPolicyBinding
		if err := decode(object, &binding); err != nil {
			return err
		}
		namespaces := labels.Everything()
		if match := binding.Spec.MatchResources; match != nil && match.NamespaceSelector != nil {
			if namespaces, err = metav1.LabelSelectorAsSelector(match.NamespaceSelector); err != nil {
				return err
			}
		}
		if slices.Contains(policies, binding.Spec.PolicyName) {
			do(binding.Spec, namespaces)
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
	objects, err := c.list(ctx, resource, "")
	for _, object := range objects {
		found[object.GetName()] = object.GetLabels()
	}
	return found, err
}
