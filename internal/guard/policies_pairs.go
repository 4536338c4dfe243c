package guard

import (
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/scopes"
)

// The policies on pairs say with CEL what internal/resolve says with Go, as far
// as two objects can tell. They never refuse what resolve does not call
// NotSupported, so they say nothing of a consumer that has both references: what
// it comes to depends on a third object, which a policy on two can't see.
//
// They refuse an edit only if it makes the pair so: what is NotSupported already
// stays editable until one of its inputs is touched.

// pairPolicies are the policies on a config and a consumer.
func pairPolicies() []policySpec {
	return []policySpec{
		configPolicy(resolve.KindMCPRemoteProxy, "mcpremoteproxies"),
		configPolicy(resolve.KindMCPServer, "mcpservers"),
		consumerPolicy(),
		inlinePolicy(),
	}
}

// configPolicy judges the edit of a config by each consumer of a kind.
func configPolicy(kind, resource string) policySpec {
	return policySpec{
		name:        "scopegate-configs-for-" + resource,
		description: "An MCPExternalAuthConfig may not get a baseline that the auth server of an " + kind + " which references it would refuse.",
		resources:   []string{"mcpexternalauthconfigs"},
		paramKind:   kind,
		variables: []admissionv1.Variable{
			{Name: "baseline", Expression: baselineOf("object")},
			{Name: "oldBaseline", Expression: "oldObject == null ? [] : (" + baselineOf("oldObject") + ")"},
			{Name: "consumed", Expression: configOf("params")},
			defaults,
			{Name: "usesDefaults", Expression: usesDefaults("params", "oidcConfigRef")},
			{Name: "effective", Expression: "variables.usesDefaults ? variables.defaults : params.spec.oidcConfigRef.scopes"},
			missing,
		},
		validations: []admissionv1.Validation{refusal(
			"variables.consumed != object.metadata.name ||\n"+
				"size(variables.missing) == 0 ||\n"+
				// Unlike null, an old object without a baseline had nothing missing.
				"variables.baseline == variables.oldBaseline",
			"a scope of baselineClientScopes is not supported by the auth server of an "+kind+" that references this MCPExternalAuthConfig: "+
				"add it to spec.oidcConfigRef.scopes there, or remove it from baselineClientScopes",
			"spec.embeddedAuthServer.baselineClientScopes of MCPExternalAuthConfig ", "object.metadata.name",
			"'"+kind+" '", "params.metadata.name", "spec.oidcConfigRef.scopes",
		)},
	}
}

// consumerPolicy judges the edit of an MCPServer or an MCPRemoteProxy by each
// config.
func consumerPolicy() policySpec {
	return policySpec{
		name:        "scopegate-consumers",
		description: "An MCPServer or an MCPRemoteProxy may not come to run an auth server that would refuse the baseline of its MCPExternalAuthConfig.",
		resources:   []string{"mcpservers", "mcpremoteproxies"},
		paramKind:   resolve.KindMCPExternalAuthConfig,
		variables: []admissionv1.Variable{
			{Name: "baseline", Expression: baselineOf("params")},
			{Name: "consumed", Expression: configOf("object")},
			{Name: "oldConsumed", Expression: "oldObject == null ? '' : (" + configOf("oldObject") + ")"},
			defaults,
			{Name: "usesDefaults", Expression: usesDefaults("object", "oidcConfigRef")},
			{Name: "effective", Expression: "variables.usesDefaults ? variables.defaults : object.spec.oidcConfigRef.scopes"},
			{Name: "oldEffective", Expression: "oldObject == null ? [] :\n" +
				usesDefaults("oldObject", "oidcConfigRef") + " ? variables.defaults : oldObject.spec.oidcConfigRef.scopes"},
			missing,
		},
		validations: []admissionv1.Validation{refusal(
			"variables.consumed != params.metadata.name ||\n"+
				"size(variables.missing) == 0 ||\n"+
				"variables.consumed == variables.oldConsumed && variables.effective == variables.oldEffective",
			"a scope of the baselineClientScopes of the MCPExternalAuthConfig is not supported by this workload's auth server: "+
				"add it to spec.oidcConfigRef.scopes, or remove it from baselineClientScopes",
			"spec.embeddedAuthServer.baselineClientScopes of MCPExternalAuthConfig ", "params.metadata.name",
			"request.kind.kind + ' '", "object.metadata.name", "spec.oidcConfigRef.scopes",
		)},
	}
}

// inlinePolicy judges a VirtualMCPServer by the defaults, which the rule of the
// CRD leaves out, since they belong to the release of the auth server.
func inlinePolicy() policySpec {
	baseline := func(object string) string {
		return has(object, "spec", "authServerConfig", "baselineClientScopes") + " &&\n" +
			has(object, "spec", "incomingAuth", "oidcConfigRef") + " && " + object + ".spec.incomingAuth.type == 'oidc' &&\n" +
			usesDefaults(object, "incomingAuth.oidcConfigRef") + " ?\n" + object + ".spec.authServerConfig.baselineClientScopes : []"
	}
	return policySpec{
		name:        "scopegate-defaults-for-virtualmcpservers",
		description: "A VirtualMCPServer without scopes of its own may not get a baseline beyond the defaults of the auth server.",
		resources:   []string{"virtualmcpservers"},
		variables: []admissionv1.Variable{
			// Empty where the defaults do not apply.
			{Name: "baseline", Expression: baseline("object")},
			{Name: "oldBaseline", Expression: "oldObject == null ? [] : (" + baseline("oldObject") + ")"},
			defaults,
			{Name: "usesDefaults", Expression: "true"},
			{Name: "effective", Expression: "variables.defaults"},
			missing,
		},
		validations: []admissionv1.Validation{refusal(
			"size(variables.missing) == 0 ||\nvariables.baseline == variables.oldBaseline",
			"a scope of spec.authServerConfig.baselineClientScopes is not among the auth server's defaults: "+
				"list every scope that it needs in spec.incomingAuth.oidcConfigRef.scopes, or remove it from the baseline",
			"spec.authServerConfig.baselineClientScopes of VirtualMCPServer ", "object.metadata.name",
			"'VirtualMCPServer '", "object.metadata.name", "spec.incomingAuth.oidcConfigRef.scopes",
		)},
	}
}

// defaults are what the auth server supports when it is told nothing. The list
// stands in each policy once, so that it can be replaced.
var defaults = admissionv1.Variable{Name: "defaults", Expression: defaultScopes()}

// missing are the scopes of the baseline that are not effective.
var missing = admissionv1.Variable{Name: "missing", Expression: "variables.baseline.filter(s, !(s in variables.effective))"}

// baselineOf is the baseline of a config, empty where nothing runs an auth server from it.
func baselineOf(config string) string {
	return has(config, "spec", "embeddedAuthServer", "baselineClientScopes") + " && " + config + ".spec.type == 'embeddedAuthServer' ?\n" +
		config + ".spec.embeddedAuthServer.baselineClientScopes : []"
}

// configOf is the name of the config with which a consumer makes a pair that has
// a verdict, or empty where it has both references, none, or no oidcConfigRef.
func configOf(consumer string) string {
	auth := has(consumer, "spec", "authServerRef") + " && " + consumer + ".spec.authServerRef.name != ''"
	external := has(consumer, "spec", "externalAuthConfigRef") + " && " + consumer + ".spec.externalAuthConfigRef.name != ''"
	return "!(" + has(consumer, "spec", "oidcConfigRef") + ") ? '' :\n" +
		auth + " ?\n(" + external + " ? '' : " + consumer + ".spec.authServerRef.name) :\n" +
		external + " ? " + consumer + ".spec.externalAuthConfigRef.name : ''"
}

// usesDefaults tells whether a consumer leaves its effective scopes to the auth
// server.
func usesDefaults(consumer, oidcConfigRef string) string {
	path := append([]string{"spec"}, strings.Split(oidcConfigRef+".scopes", ".")...)
	return "!(" + has(consumer, path...) + " && size(" + consumer + "." + strings.Join(path, ".") + ") > 0)"
}

// defaultScopes is the list of the auth server's defaults.
func defaultScopes() string {
	defaults, _ := scopes.Effective(nil, nil)
	quoted := make([]string, len(defaults))
	for i, scope := range defaults {
		quoted[i] = strconv.Quote(scope)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// has asks for every field of a path.
func has(object string, path ...string) string {
	asked := make([]string, len(path))
	for i := range path {
		asked[i] = "has(" + object + "." + strings.Join(path[:i+1], ".") + ")"
	}
	return strings.Join(asked, " && ")
}

// refusal is a validation whose message says of a consumer what its auth server
// would refuse. kind, configName and consumerName are expressions.
func refusal(expression, message, baseline, configName, kind, consumerName, scopesField string) admissionv1.Validation {
	return admissionv1.Validation{
		Expression: expression,
		Message:    message,
		MessageExpression: "'scope \"' + variables.missing[0] + '\"' +\n" +
			"(size(variables.missing) > 1 ? ' (and ' + string(size(variables.missing) - 1) + ' more)' : '') +\n" +
			"' of " + baseline + "\"' + " + configName + " +\n" +
			"'\" is not supported by the auth server of ' + " + kind + " + '\"' + " + consumerName + " + '\": ' +\n" +
			"(variables.usesDefaults ?\n" +
			"'its " + scopesField + " is empty, so that only the defaults are (' + variables.defaults.join(', ') + '): list every scope that it needs there' :\n" +
			"'it is not in its " + scopesField + ": add it there') +\n" +
			"', or remove it from baselineClientScopes'",
		Reason: ptr.To(metav1.StatusReasonInvalid),
	}
}
