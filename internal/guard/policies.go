package guard

import (
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/api/v1beta1"
)

// ModeLabel on a namespace says what the policies do there: one of ModeOff,
// ModeWarn and ModeDeny. On a binding it says for which namespaces the binding
// is.
const ModeLabel = "scopegate.dev/guard"

// What the policies do in a namespace.
const (
	// ModeOff is that no policy is asked.
	ModeOff = "off"
	// ModeWarn is that an edit is made, with a warning and an audit annotation.
	ModeWarn = "warn"
	// ModeDeny is that an edit is refused.
	ModeDeny = "deny"
	// ModeDefault stands on the binding for namespaces without one of the modes.
	ModeDefault = "default"
)

// Policy is a ValidatingAdmissionPolicy with its bindings, one for each mode
// that asks it.
type Policy struct {
	Policy   *admissionv1.ValidatingAdmissionPolicy
	Bindings []*admissionv1.ValidatingAdmissionPolicyBinding
}

// Policies returns all policies, in the order of their names.
func Policies() ([]Policy, error) {
	static, err := staticPolicies()
	if err != nil {
		return nil, err
	}
	specs := append(pairPolicies(), static...)
	policies := make([]Policy, len(specs))
	for i, spec := range specs {
		policies[i] = spec.build()
	}
	return policies, nil
}

// policySpec is what differs from one policy to the next.
type policySpec struct {
	name        string
	description string
	// resources whose creation and update is judged.
	resources []string
	// paramKind, if not empty, is the kind of the objects at the other end of the
	// reference: the policy is asked once for each of them in the namespace.
	paramKind   string
	variables   []admissionv1.Variable
	validations []admissionv1.Validation
}

func (s policySpec) build() Policy {
	policy := &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: metav1.ObjectMeta{
			Name: s.name, Labels: labels(nil),
			Annotations: map[string]string{"kubernetes.io/description": s.description},
		},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			// A policy that can't be evaluated must lock nobody out. Fail would
			// refuse every edit, in the mode warn as well, while the CRD of the
			// paramKind is not installed, and for an object that no longer fits its
			// own schema. What slips past is told by the condition.
			FailurePolicy: ptr.To(admissionv1.Ignore),
			MatchConstraints: &admissionv1.MatchResources{
				MatchPolicy: ptr.To(admissionv1.Equivalent),
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule: admissionv1.Rule{
						APIGroups: []string{v1beta1.GroupVersion.Group}, APIVersions: []string{v1beta1.GroupVersion.Version},
						// No subresource: status is written by controllers, not by users.
						Resources: s.resources,
						Scope:     ptr.To(admissionv1.NamespacedScope),
					},
				}}},
			},
			Variables: s.variables, Validations: s.validations,
		},
	}
	var paramRef *admissionv1.ParamRef
	if s.paramKind != "" {
		policy.Spec.ParamKind = &admissionv1.ParamKind{APIVersion: v1beta1.GroupVersion.String(), Kind: s.paramKind}
		paramRef = &admissionv1.ParamRef{Selector: &metav1.LabelSelector{}, ParameterNotFoundAction: ptr.To(admissionv1.AllowAction)}
	}
	warn := []admissionv1.ValidationAction{admissionv1.Warn, admissionv1.Audit}
	deny := []admissionv1.ValidationAction{admissionv1.Deny}
	return Policy{Policy: policy, Bindings: []*admissionv1.ValidatingAdmissionPolicyBinding{
		// A misspelt mode is none, so that it warns.
		binding(s.name, ModeDefault, metav1.LabelSelectorOpNotIn, []string{ModeOff, ModeWarn, ModeDeny}, warn, paramRef),
		binding(s.name, ModeDeny, metav1.LabelSelectorOpIn, []string{ModeDeny}, deny, paramRef),
		binding(s.name, ModeWarn, metav1.LabelSelectorOpIn, []string{ModeWarn}, warn, paramRef),
	}}
}

// binding asks a policy in the namespaces that the values of ModeLabel select.
func binding(
	policy, mode string, operator metav1.LabelSelectorOperator, values []string, actions []admissionv1.ValidationAction, paramRef *admissionv1.ParamRef,
) *admissionv1.ValidatingAdmissionPolicyBinding {
	return &admissionv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%s", policy, mode), Labels: labels(map[string]string{ModeLabel: mode})},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy,
			ParamRef:   paramRef,
			MatchResources: &admissionv1.MatchResources{
				MatchPolicy: ptr.To(admissionv1.Equivalent),
				NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: ModeLabel, Operator: operator, Values: values},
				}},
			},
			ValidationActions: actions,
		},
	}
}

// labels by which everything of the guard is found and removed.
func labels(more map[string]string) map[string]string {
	all := map[string]string{"app.kubernetes.io/name": "scopegate", "app.kubernetes.io/component": "guard"}
	for name, value := range more {
		all[name] = value
	}
	return all
}
