package canary

import (
	"cmp"
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/versions"
)

// versionLabel has the release of scopegate that a policy belongs to. Manifests from
// a clone do not have it.
const versionLabel = "app.kubernetes.io/version"

// compare compares a policy and its bindings with the file.
func (c *Checker) compare(ctx context.Context, r *results, policy guard.Policy) {
	if policy.Name == guard.StartUpPolicy {
		// It is optional, until it was there once. To get what does not exist would be a
		// failed request.
		list := &admissionv1.ValidatingAdmissionPolicyList{}
		err := c.client.List(ctx, list, client.MatchingFields{"metadata.name": policy.Name})
		c.startUpSeen = c.startUpSeen || len(list.Items) > 0
		if !c.startUpSeen {
			if err != nil {
				finding, err := notTried("listing "+policy.Name, err)
				r.add(policy.Name, finding, err)
			}
			return
		}
	}
	live := &admissionv1.ValidatingAdmissionPolicy{}
	c.compareObject(ctx, r, policy.Name, policy.ValidatingAdmissionPolicy, live, func() bool {
		return equality.Semantic.DeepEqual(policy.Spec, live.Spec)
	})
	for _, binding := range policy.Bindings {
		live := &admissionv1.ValidatingAdmissionPolicyBinding{}
		c.compareObject(ctx, r, policy.Name, binding, live, func() bool { return equality.Semantic.DeepEqual(binding.Spec, live.Spec) })
	}
	if checking := live.Status.TypeChecking; checking != nil && len(checking.ExpressionWarnings) > 0 {
		warning := checking.ExpressionWarnings[0]
		r.add(policy.Name, Finding{DoesNotFit, fmt.Sprintf("its expression %s does not fit the CRDs of this cluster: %s", warning.FieldRef, warning.Warning)}, nil)
	}
}

// compareObject reads an object of the installation into live and compares it with
// the file by equal.
func (c *Checker) compareObject(ctx context.Context, r *results, policy string, want, live client.Object, equal func() bool) {
	name := want.GetObjectKind().GroupVersionKind().Kind + " " + want.GetName()
	err := c.client.Get(ctx, client.ObjectKeyFromObject(want), live)
	release, own := live.GetLabels()[versionLabel], versions.Own()
	var finding Finding
	switch {
	case apierrors.IsNotFound(err):
		finding, err = Finding{Missing, name + " is not installed: apply the guard's manifest again"}, nil
	case err != nil:
		finding, err = notTried("reading "+name, err)
	case equal():
	case release != "" && release != own:
		finding = Finding{OtherRelease, fmt.Sprintf("%s is of release %s, the manager is of %s: apply the manifest of one release", name, release, own)}
	default:
		finding = Finding{Changed, name + " was changed: replace it by that of the guard's manifest, with the mode and the default scopes of this manager"}
	}
	r.add(policy, finding, err)
}

// setDefaults does what the API server does when it stores a policy or a binding
// (k8s.io/kubernetes/pkg/apis/admissionregistration/v1/defaults.go).
func setDefaults(match *admissionv1.MatchResources) {
	equivalent := admissionv1.Equivalent
	match.MatchPolicy = cmp.Or(match.MatchPolicy, &equivalent)
	match.NamespaceSelector = cmp.Or(match.NamespaceSelector, &metav1.LabelSelector{})
	match.ObjectSelector = cmp.Or(match.ObjectSelector, &metav1.LabelSelector{})
}
