package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/versions"
)

// Installation describes which parts of the guard are installed, and for which
// namespaces.
type Installation struct {
	versions.Found
	Installed
	// Denies select the namespaces in which a policy denies, Holds those in which
	// the hold applies.
	Denies, Holds Selectors
	// Namespaces has the labels of each namespace, by name.
	Namespaces map[string]labels.Set
}

// Installed lists the installed parts of the guard, in the form of the reports.
type Installed struct {
	// Policies are the names of the validating policies with a binding, sorted.
	Policies []string `json:"policies"`
	// Mode is the mode of namespaces without the label, absent without policies.
	Mode string `json:"mode,omitempty"`
	// Hold is installed, absent, or not-available if the API server has no
	// MutatingAdmissionPolicy; "" if unknown.
	Hold string `json:"hold,omitempty"`
	// StartUp is true if the start-up policy has a binding.
	StartUp bool `json:"startUp,omitempty"`
}

// String returns a line for people.
func (i Installed) String() string {
	startUp := map[bool]string{true: ", start-up: installed"}[i.StartUp]
	return fmt.Sprintf("guard: %d of %d policies, default mode: %s, hold: %s%s", len(i.Policies), len(guard.ValidatingPolicies),
		cmp.Or(i.Mode, "none"), cmp.Or(i.Hold, "unknown"), startUp)
}

// Selectors match labels that at least one of them matches.
type Selectors []labels.Selector

func (s *Selectors) add(match *admissionv1.MatchResources) {
	if match == nil || match.NamespaceSelector == nil {
		*s = append(*s, labels.Everything())
	} else if selector, err := metav1.LabelSelectorAsSelector(match.NamespaceSelector); err == nil {
		// The API server rejects invalid selectors.
		*s = append(*s, selector)
	}
}

// Match reports whether a selector matches the labels in set.
func (s Selectors) Match(set labels.Set) bool {
	return slices.ContainsFunc(s, func(selector labels.Selector) bool { return selector.Matches(set) })
}

// Installation returns the installed parts of the guard. It adds to hidden what
// could not be read.
func (c *Cluster) Installation(ctx context.Context, hidden map[string]string) (Installation, error) {
	installed := Installation{}
	var err error
	if installed.Found, err = c.versions(ctx, hidden); err != nil {
		return installed, err
	}
	err = each(ctx, c, bindings("validating"), "", func(binding *admissionv1.ValidatingAdmissionPolicyBinding) {
		if binding.Spec.PolicyName == guard.StartUpPolicy {
			installed.StartUp = true
		}
		if slices.Contains(guard.ValidatingPolicies, binding.Spec.PolicyName) {
			installed.Policies = append(installed.Policies, binding.Spec.PolicyName)
			if slices.Contains(binding.Spec.ValidationActions, admissionv1.Deny) {
				installed.Denies.add(binding.Spec.MatchResources)
			}
		}
	})
	installed.Policies = append([]string{}, slices.Compact(slices.Sorted(slices.Values(installed.Policies)))...)
	switch {
	case installed.Denies.Match(nil):
		installed.Mode = guard.ModeDeny
	case len(installed.Policies) > 0:
		installed.Mode = guard.ModeWarn
	}
	holdErr := each(ctx, c, bindings("mutating"), "", func(binding *admissionv1.MutatingAdmissionPolicyBinding) {
		if binding.Spec.PolicyName == guard.HoldPolicy {
			installed.Holds.add(binding.Spec.MatchResources)
		}
	})
	switch {
	case apierrors.IsNotFound(holdErr):
		installed.Hold = "not-available"
	case len(installed.Holds) > 0:
		installed.Hold = "installed"
	case holdErr == nil:
		installed.Hold = "absent"
	}
	return installed, cmp.Or(hide(hidden, "bindings of policies", err), hide(hidden, "bindings of the hold", holdErr))
}

func bindings(kind string) schema.GroupVersionResource {
	return admissionv1.SchemeGroupVersion.WithResource(kind + "admissionpolicybindings")
}

// Namespaces returns the labels of a namespace, or of all namespaces if namespace
// is empty. It adds to hidden what could not be read.
func (c *Cluster) Namespaces(ctx context.Context, namespace string, hidden map[string]string) (map[string]labels.Set, error) {
	found := map[string]labels.Set{}
	resource := corev1.SchemeGroupVersion.WithResource("namespaces")
	if namespace == "" {
		err := each(ctx, c, resource, "", func(one *corev1.Namespace) { found[one.Name] = one.Labels })
		return found, hide(hidden, "labels of namespaces", err)
	}
	object, err := c.client.Resource(resource).Get(ctx, namespace, metav1.GetOptions{})
	if err == nil {
		found[namespace] = object.GetLabels()
	}
	return found, hide(hidden, "labels of namespaces", err)
}

// versions returns the version of Kubernetes, and of ToolHive by a label of its
// operator's Deployment.
func (c *Cluster) versions(ctx context.Context, hidden map[string]string) (versions.Found, error) {
	// The discovery client would link every typed API into the plugin, a quarter of it.
	text, err := c.raw.Get().AbsPath("/version").Do(ctx).Raw()
	var server version.Info
	if err == nil {
		err = json.Unmarshal(text, &server)
	}
	if err != nil {
		return versions.Found{}, fmt.Errorf("reading the version of the API server: %w", err)
	}
	found := versions.Found{Kubernetes: server.GitVersion, ToolHive: versions.Unknown}
	const label = "app.kubernetes.io/version"
	operators, err := c.client.Resource(deployments).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=toolhive-operator," + label})
	if err == nil && len(operators.Items) > 0 {
		found.ToolHive = operators.Items[0].GetLabels()[label]
	}
	return found, hide(hidden, "the version of ToolHive's operator", err)
}
