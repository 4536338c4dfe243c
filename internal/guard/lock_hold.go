package guard

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// checksumAnnotation is where ToolHive's operator keeps the checksum of a
// ConfigMap; the pod template has it by templateChecksum.
const (
	checksumAnnotation = "toolhive.stacklok.dev/content-checksum"
	templateChecksum   = "toolhive.stacklok.dev/runconfig-checksum"
)

// holdPolicy makes of an update with a baseline that would be refused one that
// changes nothing but the mark, and from the second time nothing at all. So
// ToolHive's operator has no error to retry and sees no event.
func holdPolicy() *admissionv1.MutatingAdmissionPolicy {
	// A map is filled entry by entry: with matchConditions an API server 1.37 has
	// oldObject in a form of which only scalars can be values of a patch.
	keep := func(field string) string {
		parent := "/" + strings.ReplaceAll(field, ".", "/")
		return "[JSONPatch{op: 'add', path: '" + parent + "', value: {}}] +\n" +
			"(has(oldObject." + field + ") ? oldObject." + field + ".map(k, JSONPatch{op: 'add', path: '" + parent + "/' + jsonpatch.escapeKey(k), value: oldObject." + field + "[k]}) : [])"
	}
	set := func(field, key, value string) string {
		return "[JSONPatch{op: 'add', path: '/metadata/" + field + "/" + strings.ReplaceAll(key, "/", "~1") + "', value: " + value + "}]"
	}
	return mutatingPolicy(LockHold, "Keeps the data of a ConfigMap of ToolHive's operator, where the auth server would refuse the new one.",
		matches("", "configmaps", admissionv1.Update), lockConditions(), lockVariables(),
		"variables.mode != 'deny' || variables.exempt || variables.same || variables.complaint == '' ? [] :\n"+
			strings.Join([]string{
				keep("data"),
				// ToolHive writes none. LockDeny refuses what comes of another one.
				"(has(object.binaryData) && !has(oldObject.binaryData) ? [JSONPatch{op: 'remove', path: '/binaryData'}] : [])",
				keep("metadata.labels"), set("labels", HeldLabel, "'true'"),
				// The checksum is among the annotations.
				keep("metadata.annotations"), set("annotations", HeldBecause, "variables.complaint"),
			}, " +\n"))
}

// keepPolicy keeps a part of what a held workload consists of. It is asked once
// for each held ConfigMap of the namespace. It has no matchConditions, as with
// them the part could not be a value of the patch.
func keepPolicy(name, description, group, resource, unchanged, patch string) *admissionv1.MutatingAdmissionPolicy {
	return mutatingPolicy(name, description, matches(group, resource, admissionv1.Update), nil, nil,
		"!("+isHeld+") ||\n"+unchanged+" ? [] :\n"+patch)
}

// isHeld tells whether the ConfigMap of params is held and of the same workload as
// object. The mode warn of a namespace is the override, which does not wait until
// ToolHive's operator writes the ConfigMap.
var isHeld = "(" + has("params", "metadata", "ownerReferences") + ") && (" + has("object", "metadata", "ownerReferences") + ") &&\n" +
	"object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller && params.metadata.ownerReferences.exists(p, has(p.controller) && p.controller && p.uid == o.uid)) &&\n" +
	"!(" + has("namespaceObject", "metadata", "labels") + " && '" + ModeLabel + "' in namespaceObject.metadata.labels && namespaceObject.metadata.labels['" + ModeLabel + "'] == '" + ModeWarn + "')"

// unchangedTemplate is of a pod template that is the same, or was made from a
// later ConfigMap than the API server's cache has.
var unchangedTemplate = "object.spec.template == oldObject.spec.template ||\n" +
	has("object", "spec", "template", "metadata", "annotations") + " && '" + templateChecksum + "' in object.spec.template.metadata.annotations &&\n" +
	has("params", "metadata", "annotations") + " && '" + checksumAnnotation + "' in params.metadata.annotations &&\n" +
	"object.spec.template.metadata.annotations['" + templateChecksum + "'] != params.metadata.annotations['" + checksumAnnotation + "']"

// keptTemplate keeps the pod template, but for a restart that somebody asks for:
// the pods then start as they are.
var keptTemplate = "[JSONPatch{op: 'replace', path: '/spec/template', value: oldObject.spec.template}] +\n" +
	"(" + has("object", "spec", "template", "metadata", "annotations") + " && " + has("oldObject", "spec", "template", "metadata", "annotations") + " ?\n" +
	"['kubectl.kubernetes.io/restartedAt', 'mcpserver.toolhive.stacklok.dev/restarted-at'].filter(a, a in object.spec.template.metadata.annotations)\n" +
	".map(a, JSONPatch{op: 'add', path: '/spec/template/metadata/annotations/' + jsonpatch.escapeKey(a), value: object.spec.template.metadata.annotations[a]}) : [])"

const (
	unchangedService = "object.spec == oldObject.spec"
	keptService      = "[JSONPatch{op: 'replace', path: '/spec', value: oldObject.spec}]"
)

// refuseKept refuses what keptTemplate would have kept.
func refuseKept() *admissionv1.ValidatingAdmissionPolicy {
	return &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: lockMeta(LockKeep, "The pods of a workload whose ConfigMap is held can't be changed."),
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy:    ptr.To(admissionv1.Ignore),
			ParamKind:        &admissionv1.ParamKind{APIVersion: corev1.SchemeGroupVersion.String(), Kind: "ConfigMap"},
			MatchConstraints: matches("apps", "deployments", admissionv1.Update),
			Validations: []admissionv1.Validation{{
				Expression:        "!(" + isHeld + ") ||\n" + "object.spec.template.spec == oldObject.spec.template.spec ||\n" + unchangedTemplate,
				Message:           "the ConfigMap of this workload is held, and its pods with it",
				MessageExpression: "'held, as is ConfigMap \"' + params.metadata.name + '\", whose annotation " + HeldBecause + " says why'",
				Reason:            ptr.To(metav1.StatusReasonInvalid),
			}},
		},
	}
}

func mutatingPolicy(
	name, description string, constraints *admissionv1.MatchResources, conditions []admissionv1.MatchCondition, variables []admissionv1.Variable, patch string,
) *admissionv1.MutatingAdmissionPolicy {
	return &admissionv1.MutatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "MutatingAdmissionPolicy"},
		ObjectMeta: lockMeta(name, description),
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			FailurePolicy:      ptr.To(admissionv1.Ignore),
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
			ParamKind:          &admissionv1.ParamKind{APIVersion: corev1.SchemeGroupVersion.String(), Kind: "ConfigMap"},
			MatchConstraints:   constraints,
			MatchConditions:    conditions,
			Variables:          variables,
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeJSONPatch, JSONPatch: &admissionv1.JSONPatch{Expression: patch},
			}},
		},
	}
}

func mutatingBinding(name string, paramRef *admissionv1.ParamRef) *admissionv1.MutatingAdmissionPolicyBinding {
	return &admissionv1.MutatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "MutatingAdmissionPolicyBinding"},
		ObjectMeta: lockMeta(name, ""),
		Spec:       admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name, ParamRef: paramRef, MatchResources: notOff()},
	}
}

// heldRef are the held ConfigMaps of the object's namespace, mostly none.
func heldRef() *admissionv1.ParamRef {
	return &admissionv1.ParamRef{
		Selector:                &metav1.LabelSelector{MatchLabels: map[string]string{HeldLabel: "true"}},
		ParameterNotFoundAction: ptr.To(admissionv1.AllowAction),
	}
}
