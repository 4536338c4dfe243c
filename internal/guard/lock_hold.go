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
// for each of the ConfigMaps in the namespace that the binding selects. It has no
// matchConditions, as with them the part could not be a value of the patch.
func keepPolicy(name, description, group, resource, patch string) *admissionv1.MutatingAdmissionPolicy {
	return mutatingPolicy(name, description, matches(group, resource, admissionv1.Update), nil, nil, patch)
}

// isOfWorkload tells whether the ConfigMap of params is of the same workload as
// object. The mode warn of a namespace is the override, which does not wait until
// ToolHive's operator writes the ConfigMap.
var isOfWorkload = "(" + has("params", "metadata", "ownerReferences") + ") && (" + has("object", "metadata", "ownerReferences") + ") &&\n" +
	"object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller && params.metadata.ownerReferences.exists(p, has(p.controller) && p.controller && p.uid == o.uid)) &&\n" +
	"!(" + isLabelled(ModeWarn) + ")"

func isLabelled(mode string) string {
	return has("namespaceObject", "metadata", "labels") + " && '" + ModeLabel + "' in namespaceObject.metadata.labels && namespaceObject.metadata.labels['" + ModeLabel + "'] == '" + mode + "'"
}

var isHeld = has("params", "metadata", "labels") + " && '" + HeldLabel + "' in params.metadata.labels && params.metadata.labels['" + HeldLabel + "'] == 'true'"

// isNewer is of a pod template that was made from a later ConfigMap than the API
// server's cache has.
var isNewer = annotated("object.spec.template", templateChecksum) + " && " + annotated("params", checksumAnnotation) + " &&\n" +
	"object.spec.template.metadata.annotations['" + templateChecksum + "'] != params.metadata.annotations['" + checksumAnnotation + "']"

func annotated(object, annotation string) string {
	return "has(" + object + ".metadata.annotations) && '" + annotation + "' in " + object + ".metadata.annotations"
}

// Looks is the annotation of a Deployment that counts how often the lock has
// looked at a template that it has not let through yet.
//
// ToolHive's operator writes the Deployment milliseconds after the ConfigMap, when
// the API server's cache, from which it is known to be held, may not have it. So a
// template with the checksum of before is taken at the fourth write only, in a
// namespace with the mode deny: each write makes an event on which ToolHive's
// operator starts again, and by then the cache has followed. A new config that is
// well has another checksum, and does not wait.
const Looks = "scopegate.dev/looks"

// keptTemplate keeps the pod template, but for a restart that somebody asks for:
// the pods then start as they are.
func keptTemplate() string {
	const looks = "/metadata/annotations/scopegate.dev~1looks"
	keep := "[JSONPatch{op: 'replace', path: '/spec/template', value: oldObject.spec.template}] +\n" +
		"(has(object.spec.template.metadata.annotations) && has(oldObject.spec.template.metadata.annotations) ?\n" +
		"['kubectl.kubernetes.io/restartedAt', 'mcpserver.toolhive.stacklok.dev/restarted-at'].filter(a, a in object.spec.template.metadata.annotations)\n" +
		".map(a, JSONPatch{op: 'add', path: '/spec/template/metadata/annotations/' + jsonpatch.escapeKey(a), value: object.spec.template.metadata.annotations[a]}) : [])"
	looked := "(" + annotated("oldObject", Looks) + " ? oldObject.metadata.annotations['" + Looks + "'] : '0')"
	sameChecksum := annotated("object.spec.template", templateChecksum) + " && " + annotated("oldObject.spec.template", templateChecksum) + " &&\n" +
		"object.spec.template.metadata.annotations['" + templateChecksum + "'] == oldObject.spec.template.metadata.annotations['" + templateChecksum + "']"
	return "!(" + isOfWorkload + ") ? [] :\n" +
		"(" + isHeld + ") && !(" + isNewer + ") ?\n(object.spec.template == oldObject.spec.template ? [] : " + keep + ") :\n" +
		"(" + isLabelled(ModeDeny) + ") && object.spec.template.spec != oldObject.spec.template.spec && (" + sameChecksum + ") && " + looked + " in ['0', '1', '2'] ?\n" +
		keep + " +\n(has(object.metadata.annotations) ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}]) +\n" +
		"[JSONPatch{op: 'add', path: '" + looks + "', value: string(int(" + looked + ") + 1)}] :\n" +
		annotated("object", Looks) + " ? [JSONPatch{op: 'remove', path: '" + looks + "'}] : []"
}

var keptService = "!(" + isOfWorkload + ") || object.spec == oldObject.spec ? [] : [JSONPatch{op: 'replace', path: '/spec', value: oldObject.spec}]"

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
				Expression:        "!(" + isOfWorkload + ") ||\nobject.spec.template.spec == oldObject.spec.template.spec ||\n" + isNewer,
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

// artefactsRef are the ConfigMaps of ToolHive's operator in the object's namespace.
func artefactsRef() *admissionv1.ParamRef {
	return &admissionv1.ParamRef{
		Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: componentLabel, Operator: metav1.LabelSelectorOpIn, Values: components},
		}},
		ParameterNotFoundAction: ptr.To(admissionv1.AllowAction),
	}
}

// heldRef are the held ConfigMaps of the object's namespace, mostly none.
func heldRef() *admissionv1.ParamRef {
	return &admissionv1.ParamRef{
		Selector:                &metav1.LabelSelector{MatchLabels: map[string]string{HeldLabel: "true"}},
		ParameterNotFoundAction: ptr.To(admissionv1.AllowAction),
	}
}
