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
	keep := func(field string) string {
		return "(has(oldObject." + field + ") ? [JSONPatch{op: 'add', path: '/" + field + "', value: oldObject." + field + "}] :\n" +
			"has(object." + field + ") ? [JSONPatch{op: 'remove', path: '/" + field + "'}] : [])"
	}
	keepMetadata := func(field string) string {
		return "[JSONPatch{op: 'add', path: '/metadata/" + field + "', value: has(oldObject.metadata." + field + ") ? oldObject.metadata." + field + " : {}}]"
	}
	set := func(field, key, value string) string {
		return "[JSONPatch{op: 'add', path: '/metadata/" + field + "/" + strings.ReplaceAll(key, "/", "~1") + "', value: " + value + "}]"
	}
	return mutatingPolicy(LockHold, "Keeps the data of a ConfigMap of ToolHive's operator, where the auth server would refuse the new one.",
		matches("", "configmaps", admissionv1.Update), lockConditions(), lockVariables(),
		"variables.mode != 'deny' || variables.exempt || variables.same || variables.complaint == '' ? [] :\n"+
			strings.Join([]string{
				keep("data"), keep("binaryData"),
				// The checksum is among the annotations.
				keepMetadata("labels"), set("labels", HeldLabel, "'true'"),
				keepMetadata("annotations"), set("annotations", HeldBecause, "variables.complaint"),
			}, " +\n"))
}

// keepPolicy keeps a part of what a held workload consists of. It is asked once
// for each held ConfigMap of the namespace.
func keepPolicy(name, description, group, resource, patch string) *admissionv1.MutatingAdmissionPolicy {
	return mutatingPolicy(name, description, matches(group, resource, admissionv1.Update), []admissionv1.MatchCondition{{
		Name: "is-held",
		Expression: "(" + has("params", "metadata", "ownerReferences") + ") && (" + has("object", "metadata", "ownerReferences") + ") &&\n" +
			"object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller && params.metadata.ownerReferences.exists(p, has(p.controller) && p.controller && p.uid == o.uid))",
	}, {
		// The override: the mode of the namespace, which does not wait until
		// ToolHive's operator writes the ConfigMap.
		Name:       "is-not-warn",
		Expression: "!(" + has("namespaceObject", "metadata", "labels") + " && '" + ModeLabel + "' in namespaceObject.metadata.labels && namespaceObject.metadata.labels['" + ModeLabel + "'] == '" + ModeWarn + "')",
	}}, nil, patch)
}

// keptTemplate keeps the pod template, but for a restart that somebody asks for:
// the pods then start as they are. A template that was made from a later
// ConfigMap than the API server's cache has is let pass.
var keptTemplate = "object.spec.template == oldObject.spec.template ||\n" +
	has("object", "spec", "template", "metadata", "annotations") + " && '" + templateChecksum + "' in object.spec.template.metadata.annotations &&\n" +
	has("params", "metadata", "annotations") + " && '" + checksumAnnotation + "' in params.metadata.annotations &&\n" +
	"object.spec.template.metadata.annotations['" + templateChecksum + "'] != params.metadata.annotations['" + checksumAnnotation + "'] ? [] :\n" +
	"[JSONPatch{op: 'replace', path: '/spec/template', value: oldObject.spec.template}] +\n" +
	"(" + has("object", "spec", "template", "metadata", "annotations") + " && " + has("oldObject", "spec", "template", "metadata", "annotations") + " ?\n" +
	"['kubectl.kubernetes.io/restartedAt', 'mcpserver.toolhive.stacklok.dev/restarted-at'].filter(a, a in object.spec.template.metadata.annotations)\n" +
	".map(a, JSONPatch{op: 'add', path: '/spec/template/metadata/annotations/' + jsonpatch.escapeKey(a), value: object.spec.template.metadata.annotations[a]}) : [])"

const keptService = "object.spec == oldObject.spec ? [] : [JSONPatch{op: 'replace', path: '/spec', value: oldObject.spec}]"

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
