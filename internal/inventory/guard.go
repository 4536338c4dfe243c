package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/version"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/versions"
)

// Installation describes which parts of the guard are installed, and for which
// namespaces.
type Installation struct {
	versions.Found
	// Guard is nil if the bindings of policies may not be listed.
	Guard *Installed
	// Namespaces has the labels of each namespace, by name, as far as they may be
	// read.
	Namespaces map[string]labels.Set
}

// The values of a mode in reports, besides guard.Modes.
const (
	// ModeNone means that no policy is installed.
	ModeNone = "none"
	// ModeUnknown means that the bindings of policies, or the labels of the
	// namespace, may not be read.
	ModeUnknown = "unknown"
)

// Installed lists the installed parts of the guard, in the form of the reports.
type Installed struct {
	// Policies are the names of the policies with a binding, sorted. The optional
	// start-up policy is not among them.
	Policies []string `json:"policies"`
	// Mode is the mode of namespaces without the label, or ModeNone.
	Mode string `json:"mode"`
	// StartUp is true if the start-up policy has a binding.
	StartUp bool `json:"startUp,omitempty"`
}

// String returns a line for people.
func (i *Installed) String() string {
	if i == nil {
		return "guard: " + ModeUnknown
	}
	startUp := ""
	if i.StartUp {
		startUp = ", start-up: installed"
	}
	return fmt.Sprintf("guard: %d of %d policies, default mode: %s%s", len(i.Policies), len(guard.PolicyNames), i.Mode, startUp)
}

// ModeOf returns the guard's mode in a namespace: one of guard.Modes, ModeNone or
// ModeUnknown.
func (i Installation) ModeOf(namespace string) string {
	set, read := i.Namespaces[namespace]
	switch {
	case i.Guard == nil:
		return ModeUnknown
	case len(i.Guard.Policies) == 0:
		return ModeNone
	case !read:
		return ModeUnknown
	case slices.Contains(guard.Modes, set[guard.ModeLabel]):
		return set[guard.ModeLabel]
	default:
		return i.Guard.Mode
	}
}

// Installation returns the installed parts of the guard. It adds to unreadable what
// could not be read.
func (c *Cluster) Installation(ctx context.Context, unreadable map[string]string) (Installation, error) {
	found, err := c.versions(ctx, unreadable)
	if err != nil {
		return Installation{}, err
	}
	installed, denies := Installed{Policies: []string{}, Mode: ModeNone}, map[string]bool{}
	resource := admissionv1.SchemeGroupVersion.WithResource("validatingadmissionpolicybindings")
	err = each(ctx, c, resource, "", func(binding *admissionv1.ValidatingAdmissionPolicyBinding) {
		policy := binding.Spec.PolicyName
		switch {
		case policy == guard.StartUpPolicy:
			installed.StartUp = true
		case slices.Contains(guard.PolicyNames, policy):
			installed.Policies = append(installed.Policies, policy)
			if slices.Contains(binding.Spec.ValidationActions, admissionv1.Deny) && selects(binding.Spec.MatchResources, nil) {
				denies[policy] = true
			}
		}
	})
	const what = "bindings of policies"
	if err := noteUnreadable(unreadable, what, err); err != nil || unreadable[what] != "" {
		return Installation{Found: found}, err
	}
	slices.Sort(installed.Policies)
	installed.Policies = slices.Compact(installed.Policies)
	switch {
	case denies[guard.ConsumersPolicy]:
		installed.Mode = guard.ModeStrict
	case denies[guard.VirtualMCPServersPolicy]:
		installed.Mode = guard.ModeEnforce
	case len(installed.Policies) > 0:
		installed.Mode = guard.ModeWarn
	}
	return Installation{Found: found, Guard: &installed}, nil
}

// selects reports whether a binding selects namespaces with these labels.
func selects(match *admissionv1.MatchResources, set labels.Set) bool {
	if match == nil || match.NamespaceSelector == nil {
		return true
	}
	// The API server rejects invalid selectors.
	selector, err := metav1.LabelSelectorAsSelector(match.NamespaceSelector)
	return err == nil && selector.Matches(set)
}

// Namespaces returns the labels of a namespace, or of all namespaces if namespace
// is empty. It adds to unreadable what could not be read.
func (c *Cluster) Namespaces(ctx context.Context, namespace string, unreadable map[string]string) (map[string]labels.Set, error) {
	found := map[string]labels.Set{}
	resource := corev1.SchemeGroupVersion.WithResource("namespaces")
	if namespace == "" {
		err := each(ctx, c, resource, "", func(one *corev1.Namespace) { found[one.Name] = one.Labels })
		return found, noteUnreadable(unreadable, "labels of namespaces", err)
	}
	object, err := c.client.Resource(resource).Get(ctx, namespace, metav1.GetOptions{})
	if err == nil {
		found[namespace] = object.GetLabels()
	}
	return found, noteUnreadable(unreadable, "labels of namespaces", err)
}

// versions returns the version of Kubernetes, and of ToolHive by a label of its
// operator's Deployment.
func (c *Cluster) versions(ctx context.Context, unreadable map[string]string) (versions.Found, error) {
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
	return found, noteUnreadable(unreadable, "the version of ToolHive's operator", err)
}
