package guard

import (
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
)

// The second lock is on what ToolHive's operator makes of the objects: the
// ConfigMaps with the config that a workload's auth server reads. It is for what
// slips past the policies on the objects. All of it are policies:
//
//   - LockDeny refuses a ConfigMap with a baseline that the auth server would
//     refuse, where the mode is deny. So there is no Deployment and no pod.
//   - LockHold keeps the data of a ConfigMap that exists, where the mode is deny:
//     ToolHive's operator would try a refused update over and over.
//   - LockHoldDeployments and LockHoldServices keep what belongs to the held data,
//     so that a pod never gets the environment of one config and the file of another.
//   - LockKeep refuses the update of such a Deployment, should the policy before not
//     have been able to keep it. ToolHive's operator retries that ever more rarely.
//   - LockWarn warns, where the mode is warn, and of what is held.
const (
	LockDeny            = "scopegate-lock"
	LockWarn            = "scopegate-lock-warn"
	LockHold            = "scopegate-lock-hold"
	LockHoldDeployments = "scopegate-lock-hold-deployments"
	LockHoldServices    = "scopegate-lock-hold-services"
	LockKeep            = "scopegate-lock-keep"
)

// HeldBecause is the annotation that says why a ConfigMap is held. The label and
// the annotation go with the next data that is well, since ToolHive's operator
// writes all labels and annotations.
const HeldBecause = "scopegate.dev/held-because"

// Lock returns the policies on ToolHive's ConfigMaps, each before its binding,
// which has the same name.
func Lock() []client.Object {
	deny, warn := []admissionv1.ValidationAction{admissionv1.Deny}, []admissionv1.ValidationAction{admissionv1.Warn, admissionv1.Audit}
	return []client.Object{
		lockPolicy(LockDeny, "A ConfigMap of ToolHive's operator may not get a baseline that the auth server which reads it would refuse.",
			// Where the update is held, the data is that of before. This is for a
			// Kubernetes without MutatingAdmissionPolicy.
			"variables.mode != 'deny' || variables.exempt || variables.same || variables.complaint == ''", "variables.complaint"),
		lockBinding(LockDeny, deny),
		lockPolicy(LockWarn, "Warns of a baseline that the auth server which reads a ConfigMap of ToolHive's operator would refuse, and of data that is held.",
			"variables.mode == 'deny' ? !variables.held || variables.exempt : variables.exempt || variables.complaint == ''",
			"variables.mode == 'deny' ? 'held, so that what runs goes on as it is: ' + variables.because : variables.complaint"),
		lockBinding(LockWarn, warn),
		holdPolicy(),
		mutatingBinding(LockHold, parametersRef()),
		keepPolicy(LockHoldDeployments, "The pods of a workload whose ConfigMap is held stay as they are.", "apps", "deployments", keptTemplate()),
		mutatingBinding(LockHoldDeployments, artefactsRef()),
		keepPolicy(LockHoldServices, "The Service of a workload whose ConfigMap is held stays as it is.", "", "services", keptService),
		mutatingBinding(LockHoldServices, heldRef()),
		refuseKept(),
		&admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
			ObjectMeta: lockMeta(LockKeep, ""),
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName: LockKeep, ParamRef: heldRef(), MatchResources: notOff(), ValidationActions: deny,
			},
		},
	}
}

// lockVariables are what the policies on ConfigMaps know of one. state is one of
// none, readable and unreadable; missing are the encoded scopes of the baseline
// that are not effective; complaint is empty if all is well.
func lockVariables() []admissionv1.Variable {
	variables := append(jsonVariables(), yamlVariables()...)
	return append(append(variables, parameterVariables()...), []admissionv1.Variable{
		{Name: "binary", Expression: "has(object.binaryData) && ('" + jsonKey + "' in object.binaryData || '" + yamlKey + "' in object.binaryData)"},
		// Lists are compared as they are encoded. The defaults are in no text, so
		// that each of the encodings of a default counts.
		{Name: "jsonDefaults", Expression: "variables.defaults.map(s, '\"' + s.replace('&', '\\\\u0026').replace('<', '\\\\u003c').replace('>', '\\\\u003e') + '\"')"},
		{Name: "yamlDefaults", Expression: "variables.defaults.map(s, '\\n    - ' + s) + variables.defaults.map(s, '\\n    - \"' + s + '\"') +\n" +
			"variables.defaults.map(s, '\\n    - \\'' + s.replace('\\'', '\\'\\'') + '\\'')"},
		{Name: "jsonMissing", Expression: missingOf("json")},
		{Name: "yamlMissing", Expression: missingOf("yaml")},
		// A scope that is not found counts as missing only if it could not be there
		// in another spelling, which the encoder would not write.
		{Name: "jsonDoubtful", Expression: "size(variables.jsonMissing) > 0 && (variables.jsonBaseline + variables.jsonScopes).exists(s, !s.matches(" + literal(encodedJSON) + "))"},
		{Name: "yamlMissingBare", Expression: bare("variables.yamlMissing")},
		{Name: "yamlScopesBare", Expression: "size(variables.yamlScopes) > 0 ? " + bare("variables.yamlScopes") + " : variables.defaults"},
		{Name: "yamlDoubtful", Expression: "size(variables.yamlMissing) > 0 && (\n" +
			"(variables.yamlBaseline + variables.yamlScopes).exists(s, s.matches(" + literal(oddYAML) + ")) ||\n" +
			"variables.yamlMissingBare.exists(m, m in variables.yamlScopesBare))"},
		{Name: "state", Expression: "variables.binary || variables.jsonState == 'unreadable' || variables.yamlState == 'unreadable' || variables.jsonDoubtful || variables.yamlDoubtful ? 'unreadable' :\n" +
			"variables.jsonState == 'readable' || variables.yamlState == 'readable' ? 'readable' : 'none'"},
		{Name: "missing", Expression: "variables.jsonMissing + variables.yamlMissing"},
		{Name: "owners", Expression: ownersOf("object") + " + " + "(oldObject == null ? [] : " + ownersOf("oldObject") + ")"},
		{Name: "workload", Expression: "size(variables.owners) > 0 ? variables.owners[0].kind + ' \"' + variables.owners[0].name + '\"' : 'ConfigMap \"' + object.metadata.name + '\"'"},
		{Name: "exempt", Expression: "variables.exemptions.exists(e, e == 'ConfigMap/' + object.metadata.namespace + '/' + object.metadata.name ||\n" +
			"variables.owners.exists(o, e == o.kind + '/' + object.metadata.namespace + '/' + o.name))"},
		{Name: "same", Expression: "oldObject != null &&\n" +
			"(has(object.data) ? has(oldObject.data) && object.data == oldObject.data : !has(oldObject.data)) &&\n" +
			"(has(object.binaryData) ? has(oldObject.binaryData) && object.binaryData == oldObject.binaryData : !has(oldObject.binaryData))"},
		{Name: "held", Expression: has("object", "metadata", "labels") + " && '" + HeldLabel + "' in object.metadata.labels && object.metadata.labels['" + HeldLabel + "'] == 'true'"},
		{Name: "because", Expression: has("object", "metadata", "annotations") + " && '" + HeldBecause + "' in object.metadata.annotations ? object.metadata.annotations['" + HeldBecause + "'] : ''"},
		{Name: "scope", Expression: "size(variables.missing) == 0 ? '' :\n" +
			"(variables.missing[0].startsWith('\\n    - ') ? variables.missing[0].substring(7) : variables.missing[0])"},
		{Name: "complaint", Expression: complaint},
	}...)
}

// missingOf are the scopes of the baseline that are not effective.
func missingOf(format string) string {
	baseline, supported := "variables."+format+"Baseline", "variables."+format+"Scopes"
	return "variables." + format + "State != 'readable' ? [] :\n" +
		"size(" + supported + ") > 0 ? " + baseline + ".filter(s, !(s in " + supported + ")) :\n" +
		baseline + ".filter(s, !(s in variables." + format + "Defaults))"
}

// complaint says what is wrong with a ConfigMap. A scope is shown as it is
// encoded, and cut if it is long.
const complaint = `variables.state == 'unreadable' ?
'the auth server\'s config of ' + variables.workload + ' can\'t be read for sure: it is not in the layout in which ToolHive v0.47.0 writes it, has another schema_version, or is too large: let ToolHive\'s operator write it, or list this workload under exempt in ConfigMap ` + ParametersNamespace + `/` + ParametersName + `' :
size(variables.missing) == 0 ? '' :
'scope ' + (variables.scope.startsWith('"') ? '' : '"') + variables.scope.substring(0, size(variables.scope) < 300 ? size(variables.scope) : 300) + (variables.scope.startsWith('"') ? '' : '"') +
(size(variables.missing) > 1 ? ' (and ' + string(size(variables.missing) - 1) + ' more)' : '') +
' of ` + baselineKey + ` is not supported by the auth server of ' + variables.workload + ': it is not in ` + scopesKey + `' +
(size(variables.jsonMissing) > 0 && size(variables.jsonScopes) == 0 || size(variables.yamlMissing) > 0 && size(variables.yamlScopes) == 0 ? ', whose defaults apply' : '') +
': add it to the scopes of the workload\'s oidcConfigRef, or remove it from baselineClientScopes'`

// componentLabel is what ToolHive's operator labels its ConfigMaps with.
const componentLabel = "toolhive.stacklok.io/component"

var components = []string{"run-config", "vmcp-config"}

// lockConditions are what makes a ConfigMap one that is judged, in the order of
// their cost: it has a config by one of the keys, and it is ToolHive's. The owner
// alone would miss one that somebody made in advance, the label alone one
// that was relabelled; a file of somebody else by the same key is not judged.
func lockConditions() []admissionv1.MatchCondition {
	key := func(field string) string {
		return "has(object." + field + ") && ('" + jsonKey + "' in object." + field + " || '" + yamlKey + "' in object." + field + ")"
	}
	owned := func(object string) string {
		return has(object, "metadata", "labels") + " && '" + componentLabel + "' in " + object + ".metadata.labels && " +
			object + ".metadata.labels['" + componentLabel + "'] in ['" + strings.Join(components, "', '") + "'] ||\n" +
			"size(" + ownersOf(object) + ") > 0"
	}
	return []admissionv1.MatchCondition{
		{Name: "has-a-config", Expression: key("data") + " || " + key("binaryData")},
		{Name: "is-toolhives", Expression: owned("object") + " ||\noldObject != null && (" + owned("oldObject") + ")"},
	}
}

// ownersOf are the owner references by which ToolHive's operator controls an object.
func ownersOf(object string) string {
	kinds := []string{resolve.KindMCPServer, resolve.KindMCPRemoteProxy, resolve.KindVirtualMCPServer}
	return "(" + has(object, "metadata", "ownerReferences") + " ? " + object + ".metadata.ownerReferences.filter(o, has(o.controller) && o.controller &&\n" +
		"o.kind in ['" + strings.Join(kinds, "', '") + "'] && o.apiVersion.startsWith('" + v1beta1.GroupVersion.Group + "/')) : [])"
}

// textOf is a text of the ConfigMap, empty where there is none.
func textOf(key string) string {
	return "has(object.data) && '" + key + "' in object.data ? object.data['" + key + "'] : ''"
}

// literal is a string literal of CEL, without escapes where that goes.
func literal(text string) string {
	if !strings.ContainsAny(text, "'"+yamlBreaks) {
		return "r'" + text + "'"
	}
	return strconv.Quote(text)
}

func lockPolicy(name, description, expression, message string) *admissionv1.ValidatingAdmissionPolicy {
	return &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: lockMeta(name, description),
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			// As for the other policies: a policy that can't be evaluated must not
			// lock every ConfigMap of the cluster.
			FailurePolicy:    ptr.To(admissionv1.Ignore),
			ParamKind:        &admissionv1.ParamKind{APIVersion: corev1.SchemeGroupVersion.String(), Kind: "ConfigMap"},
			MatchConstraints: matches("", "configmaps", admissionv1.Create, admissionv1.Update),
			MatchConditions:  lockConditions(),
			Variables:        lockVariables(),
			Validations: []admissionv1.Validation{{
				Expression: expression,
				Message:    "the baseline_client_scopes of the auth server are not supported by it, or its config can't be read for sure",
				// A message is cut by the API server at some 4 KiB.
				MessageExpression: message,
				Reason:            ptr.To(metav1.StatusReasonInvalid),
			}},
		},
	}
}

func lockBinding(name string, actions []admissionv1.ValidationAction) *admissionv1.ValidatingAdmissionPolicyBinding {
	return &admissionv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: lockMeta(name, ""),
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ParamRef: parametersRef(), MatchResources: notOff(), ValidationActions: actions,
		},
	}
}

func lockMeta(name, description string) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Name: name, Labels: labels(nil)}
	if description != "" {
		meta.Annotations = map[string]string{"kubernetes.io/description": description}
	}
	return meta
}

func matches(group, resource string, operations ...admissionv1.OperationType) *admissionv1.MatchResources {
	version := "v1"
	return &admissionv1.MatchResources{
		MatchPolicy: ptr.To(admissionv1.Equivalent),
		ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: operations,
			Rule: admissionv1.Rule{
				APIGroups: []string{group}, APIVersions: []string{version}, Resources: []string{resource},
				Scope: ptr.To(admissionv1.NamespacedScope),
			},
		}}},
	}
}

// notOff leaves out the namespaces in which nothing is asked. The other modes are
// the policies' to read, since a mutating one has no actions.
func notOff() *admissionv1.MatchResources {
	return &admissionv1.MatchResources{
		MatchPolicy: ptr.To(admissionv1.Equivalent),
		NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: ModeLabel, Operator: metav1.LabelSelectorOpNotIn, Values: []string{ModeOff}},
		}},
	}
}
