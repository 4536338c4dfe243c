package live

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The ConfigMap with the guard's parameters, and its keys.
const (
	ParametersNamespace = "scopegate-system"
	ParametersName      = "scopegate-guard"
	modeKey             = "mode"
	exemptKey           = "exempt"
)

// Settings are how the guard is set.
type Settings struct {
	// Policies are the names of its policies, nil where there are none.
	Policies []string
	// Mode is the default mode in the parameters, "" where it is not set.
	Mode string
	// Exempt are the entries Kind/namespace/name of the parameters, in order.
	Exempt []string
	// Off are the namespaces in which no policy is asked.
	Off map[string]bool
	// Hidden tells of what could not be read why that is.
	Hidden map[string]string
}

// policies are of the guard by this label.
const policiesSelector = "app.kubernetes.io/component=guard"

// Settings returns how the guard is set; an empty namespace stands for all.
func (c *Cluster) Settings(ctx context.Context, namespace string) (Settings, error) {
	settings := Settings{Off: map[string]bool{}, Hidden: map[string]string{}}
	for _, step := range []struct {
		what string
		read func(context.Context, string) error
	}{
		{"policies", func(ctx context.Context, _ string) error { return c.policies(ctx, &settings) }},
		{"ConfigMap " + ParametersNamespace + "/" + ParametersName, func(ctx context.Context, _ string) error { return c.parameters(ctx, &settings) }},
		{"labels of namespaces", func(ctx context.Context, namespace string) error { return c.namespaceModes(ctx, namespace, &settings) }},
	} {
		if err := step.read(ctx, namespace); apierrors.IsForbidden(err) {
			settings.Hidden[step.what] = reason(err)
		} else if err != nil {
			return settings, err
		}
	}
	return settings, nil
}

func (c *Cluster) policies(ctx context.Context, settings *Settings) error {
	for _, resource := range []string{"validatingadmissionpolicies", "mutatingadmissionpolicies"} {
		objects, err := c.list(ctx, source{
			resource: schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: resource}, selector: policiesSelector,
		}, "")
		if apierrors.IsNotFound(err) {
			continue // An older API server does not have the kind.
		}
		if err != nil {
			return err
		}
		for _, object := range objects {
			settings.Policies = append(settings.Policies, object.GetName())
		}
	}
	slices.Sort(settings.Policies)
	return nil
}

func (c *Cluster) parameters(ctx context.Context, settings *Settings) error {
	object, err := c.client.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(ParametersNamespace).Get(ctx, ParametersName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	configMap, err := decode[corev1.ConfigMap](object)
	if err != nil {
		return err
	}
	settings.Mode = strings.TrimSpace(configMap.Data[modeKey])
	settings.Exempt = slices.Compact(slices.Sorted(slices.Values(strings.Fields(configMap.Data[exemptKey]))))
	return nil
}

func (c *Cluster) namespaceModes(ctx context.Context, namespace string, settings *Settings) error {
	namespaces := source{resource: corev1.SchemeGroupVersion.WithResource("namespaces"), selector: ModeLabel + "=" + ModeOff}
	if namespace != "" {
		object, err := c.client.Resource(namespaces.resource).Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		settings.Off[namespace] = object.GetLabels()[ModeLabel] == ModeOff
		return nil
	}
	objects, err := c.list(ctx, namespaces, "")
	for _, object := range objects {
		settings.Off[object.GetName()] = true
	}
	return err
}
