package guard

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// ModeLabel is the label of a namespace with the guard's mode there. Without it,
// or with an unknown value, the mode of the installation applies.
const ModeLabel = "scopegate.dev/guard"

// The modes.
const (
	// ModeOff disables the policies.
	ModeOff = "off"
	// ModeWarn admits each edit, with a warning for a bad one.
	ModeWarn = "warn"
	// ModeEnforce rejects an edit that is bad whatever else the cluster holds, and
	// creates no pod for a consumer whose condition is False.
	ModeEnforce = "enforce"
	// ModeStrict also rejects an edit that is bad together with other objects.
	ModeStrict = "strict"
)

// Modes are all modes, from the most lenient to the strictest. An installation can
// have any of them but ModeOff for namespaces without ModeLabel.
var Modes = []string{ModeOff, ModeWarn, ModeEnforce, ModeStrict}

// The names of the policies, which are files of config/guard.
const (
	VirtualMCPServersPolicy          = "scopegate-virtualmcpservers"
	ConfigsForMCPServersPolicy       = "scopegate-configs-for-mcpservers"
	ConfigsForMCPRemoteProxiesPolicy = "scopegate-configs-for-mcpremoteproxies"
	ConsumersPolicy                  = "scopegate-consumers"
	PodsOfMCPServersPolicy           = "scopegate-pods-of-mcpservers"
	PodsOfMCPRemoteProxiesPolicy     = "scopegate-pods-of-mcpremoteproxies"
	PodsOfVirtualMCPServersPolicy    = "scopegate-pods-of-virtualmcpservers"
	// StartUpPolicy is optional and has its own manifest.
	StartUpPolicy = "scopegate-start-up"
)

// PolicyNames are the names of the policies that are always installed: all except
// the start-up policy.
var PolicyNames = []string{
	VirtualMCPServersPolicy, ConfigsForMCPServersPolicy, ConfigsForMCPRemoteProxiesPolicy, ConsumersPolicy,
	PodsOfMCPServersPolicy, PodsOfMCPRemoteProxiesPolicy, PodsOfVirtualMCPServersPolicy,
}

// CanaryNamespace is the namespace in which the manager tries the policies.
const CanaryNamespace = "scopegate-canary"

// Policy is a policy with its bindings.
type Policy struct {
	*admissionv1.ValidatingAdmissionPolicy
	Bindings []*admissionv1.ValidatingAdmissionPolicyBinding
}

// Policies returns the policies of config/guard as an installation has them, the
// start-up policy last. mode is the mode of namespaces without ModeLabel.
// defaultScopes are the scopes that an auth server supports if none are configured;
// if empty, toolhive.DefaultScopes apply.
func Policies(mode string, defaultScopes []string) ([]Policy, error) {
	if mode == ModeOff || !slices.Contains(Modes, mode) {
		return nil, fmt.Errorf("mode %q: choose one of %s", mode, strings.Join(Modes[1:], ", "))
	}
	var policies []Policy
	for _, folder := range []string{"guard/policies", "guard/start-up"} {
		objects, err := config.Objects(folder)
		if err != nil {
			return nil, err
		}
		// Each file has a policy and then its bindings.
		for _, object := range objects {
			if object.GetKind() == "ValidatingAdmissionPolicy" {
				policy, err := decode[admissionv1.ValidatingAdmissionPolicy](object)
				if err != nil {
					return nil, err
				}
				setDefaultScopes(policy, defaultScopes)
				policies = append(policies, Policy{ValidatingAdmissionPolicy: policy})
				continue
			}
			binding, err := decode[admissionv1.ValidatingAdmissionPolicyBinding](object)
			if err != nil {
				return nil, err
			}
			setMode(&binding.Spec.MatchResources.NamespaceSelector.MatchExpressions[0], mode)
			last := &policies[len(policies)-1]
			last.Bindings = append(last.Bindings, binding)
		}
	}
	return policies, nil
}

func decode[T any](object *unstructured.Unstructured) (*T, error) {
	decoded := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, decoded, true); err != nil {
		return nil, fmt.Errorf("decoding %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return decoded, nil
}

// setMode changes which namespaces a binding selects. It always selects those that
// are labelled with some of the modes, and also those without a mode if the mode of
// the installation is one of these. The components config/guard/enforce and strict,
// and the chart, do the same.
func setMode(modes *metav1.LabelSelectorRequirement, mode string) {
	listed := func(mode string) bool { return slices.Contains(modes.Values, mode) }
	selected := listed
	if modes.Operator == metav1.LabelSelectorOpNotIn {
		selected = func(mode string) bool { return !listed(mode) }
	}
	values := slices.DeleteFunc(slices.Clone(Modes), func(other string) bool { return selected(other) == selected(mode) })
	operator := metav1.LabelSelectorOpIn
	if selected(mode) {
		operator = metav1.LabelSelectorOpNotIn
	}
	modes.Operator, modes.Values = operator, values
}

// setDefaultScopes replaces the list in the variable defaults, which all policies on
// the baseline have.
func setDefaultScopes(policy *admissionv1.ValidatingAdmissionPolicy, scopes []string) {
	if len(scopes) == 0 {
		return
	}
	for i := range policy.Spec.Variables {
		if variable := &policy.Spec.Variables[i]; variable.Name == "defaults" {
			variable.Expression = strings.Replace(variable.Expression, strings.Join(toolhive.DefaultScopes, " "), strings.Join(scopes, " "), 1)
		}
	}
}
