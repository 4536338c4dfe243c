package guard

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/utils/ptr"
)

// The object with the parameters of the lock. ToolHive's operator overwrites the
// labels and annotations of its ConfigMaps, so that these can't hold any.
const (
	ParametersName      = "scopegate-guard"
	ParametersNamespace = "scopegate-system"

	// ParameterMode is ModeWarn or ModeDeny, for namespaces without ModeLabel.
	ParameterMode = "mode"
	// ParameterExempt has lines with Kind/namespace/name of workloads that are let pass.
	ParameterExempt = "exempt"
	// ParameterDefaultScopes are the scopes that the auth server supports when it
	// is told none, with white space between them.
	ParameterDefaultScopes = "defaultScopes"
)

// parameterVariables read the parameters: with any white space, and as if they
// were not there where they are missing or empty. A mode that is none of the two
// is warn.
func parameterVariables() []admissionv1.Variable {
	parameter := func(name string) string {
		return "params != null && has(params.data) && '" + name + "' in params.data ? params.data['" + name + "'] : ''"
	}
	words := `.replace('\r', ' ').replace('\n', ' ').replace('\t', ' ').split(' ').filter(w, w != '')`
	label := "namespaceObject.metadata.labels['" + ModeLabel + "']"
	return []admissionv1.Variable{
		{Name: "label", Expression: has("namespaceObject", "metadata", "labels") + " && '" + ModeLabel + "' in namespaceObject.metadata.labels ? " + label + " : ''"},
		{Name: "mode", Expression: "variables.label in ['" + ModeWarn + "', '" + ModeDeny + "'] ? variables.label :\n" +
			"(" + parameter(ParameterMode) + ").trim() == '" + ModeDeny + "' ? '" + ModeDeny + "' : '" + ModeWarn + "'"},
		// No name has a space, so that words are as good as lines.
		{Name: "exemptions", Expression: "(" + parameter(ParameterExempt) + ")" + words},
		{Name: "givenDefaults", Expression: "(" + parameter(ParameterDefaultScopes) + ")" + words},
		{Name: "defaults", Expression: "size(variables.givenDefaults) > 0 ? variables.givenDefaults : " + defaultScopes()},
	}
}

// parametersRef names the parameters. Where they are missing the lock is open:
// to refuse instead would refuse every ConfigMap of the cluster.
func parametersRef() *admissionv1.ParamRef {
	return &admissionv1.ParamRef{
		Name: ParametersName, Namespace: ParametersNamespace, ParameterNotFoundAction: ptr.To(admissionv1.AllowAction),
	}
}
