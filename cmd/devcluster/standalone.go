package main

import (
	"strings"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/rollout"
)

// managedBy selects what standalone mode creates.
const managedBy = "app.kubernetes.io/managed-by=scopegate"

// runConfigs prints the run config in each pod template.
var runConfigs = `jsonpath={range .items[*]}{.metadata.name}: {.spec.template.metadata.annotations.` + strings.ReplaceAll(rollout.RunConfigAnnotation, ".", `\.`) + `}{"\n"}{end}`

// standaloneSteps walk through the samples.
func standaloneSteps() []step {
	return []step{{
		name:  "what the servers share",
		shows: "A namespace, a Secret for the company's identity provider, and the validation of tokens. There is no auth server yet.",
		commands: []command{
			{args: apply("00-namespace.yaml", "10-upstream-secret.yaml", "20-oidc-config.yaml"), says: []string{"mcpoidcconfig.toolhive.stacklok.dev/tokens created"}},
			{args: words("config set-context --current --namespace " + namespace)},
		},
	}, {
		name:  "a static mistake in a shared config",
		shows: "One object has both lists and they disagree, so the API server itself rejects it, without a webhook or a manager.",
		commands: []command{{
			args:    apply(mistakes + "/baseline-not-in-scopes-supported.yaml"),
			refused: true,
			says:    []string{`"auth" is invalid`, "spec.embeddedAuthServer.baselineClientScopes", `scope "email" is not in scopesSupported`},
		}},
	}, {
		name:  "a static mistake in a VirtualMCPServer",
		shows: "The auth server's config is inline, next to oidcConfigRef.scopes, so the API server rejects this one as well.",
		commands: []command{{
			args:    apply(mistakes + "/baseline-not-in-own-oidc-scopes.yaml"),
			refused: true,
			says: []string{`"office" is invalid`, "spec.authServerConfig.baselineClientScopes",
				`scope "calendar.read" is not in spec.incomingAuth.oidcConfigRef.scopes`},
		}},
	}, {
		name: "a mistake across two objects",
		shows: "The config says offline-access, its consumer lists offline_access. Neither object is wrong by itself, so both are accepted.\n" +
			"The condition BaselineScopesValid reports the mistake, and no Deployment is created: there is no pod to crash.",
		commands: []command{
			{args: apply(mistakes+"/baseline-scope-misspelt.yaml", "40-mcp-server.yaml"), says: []string{"mcpexternalauthconfig.toolhive.stacklok.dev/auth created", "mcpserver.toolhive.stacklok.dev/weather created"}},
			{args: waitFor("BaselineScopesValid=False", "mcpexternalauthconfig/auth", "mcpserver/weather")},
			{args: words("get mcpexternalauthconfig,mcpserver"), says: []string{"False", v1alpha1.ReasonBaselineScopeNotSupported}},
			{args: words("get mcpserver weather -o", `jsonpath={.status.conditions[?(@.type=="BaselineScopesValid")].message}`), says: []string{`did you mean "offline_access"?`}},
			{args: words("get deployments,replicasets,pods,services"), says: []string{"No resources found"}},
		},
	}, {
		name:  "the repair rolls out",
		shows: "The config is corrected and nothing else changes: its consumer rolls out at once.",
		commands: []command{
			{args: apply("30-auth-config.yaml"), says: []string{"mcpexternalauthconfig.toolhive.stacklok.dev/auth configured"}},
			{args: waitFor("BaselineScopesValid=True", "mcpexternalauthconfig/auth", "mcpserver/weather")},
			{args: words("wait --timeout=30s mcpserver/weather", `--for=jsonpath={.status.conditions[?(@.type=="Ready")].reason}=RollingOut`)},
			{args: words("wait --timeout=30s deployment --selector", managedBy, "--for=jsonpath={.status.updatedReplicas}=1")},
			{args: words("get deployments,replicasets,pods,services"), says: []string{"deployment.apps/auth-weather-", "replicaset.apps/auth-weather-", "pod/auth-weather-", "service/auth-weather-", "Pending"}},
			{args: words("get deployments -o", runConfigs), says: []string{`"baseline_client_scopes":["openid","offline_access"]`}},
		},
	}, {
		name: "a bad edit is held",
		shows: "The consumer drops a scope that the baseline needs. The condition reports it, and the rollout stays unchanged:\n" +
			"a running auth server keeps running.",
		commands: []command{
			{args: apply(mistakes + "/consumer-drops-a-baseline-scope.yaml"), says: []string{"mcpserver.toolhive.stacklok.dev/weather configured"}},
			{args: waitFor("BaselineScopesValid=False", "mcpexternalauthconfig/auth", "mcpserver/weather")},
			{args: words("get mcpexternalauthconfig,mcpserver"), says: []string{"False", v1alpha1.ReasonBaselineScopeNotSupported}},
			{args: words("get mcpserver weather -o", `jsonpath={.status.conditions[?(@.type=="Ready")].message}`), says: []string{"rollout held: ", `"offline_access"`}},
			{args: words("get deployments,replicasets -o", `jsonpath={range .items[*]}{.kind}, generation {.metadata.generation}{"\n"}{end}`), says: []string{"Deployment, generation 1\nReplicaSet, generation 1"}},
		},
	}, {
		name: "the edit is repaired, with one more scope",
		shows: "The consumer lists the scope again, and one more. A new ReplicaSet carries the new run config. The old one keeps its own,\n" +
			"and its pod stays until the new one is ready.",
		commands: []command{
			{args: words("patch mcpserver weather --type=merge --patch", `{"spec":{"oidcConfigRef":{"scopes":["openid","profile","email","offline_access"]}}}`), says: []string{"weather patched"}},
			{args: waitFor("BaselineScopesValid=True", "mcpexternalauthconfig/auth", "mcpserver/weather")},
			{args: words("wait --timeout=30s deployment --selector", managedBy, "--for=jsonpath={.status.observedGeneration}=2")},
			{args: words("wait --timeout=30s deployment --selector", managedBy, "--for=jsonpath={.status.updatedReplicas}=1")},
			{args: words("get replicasets -o", runConfigs), says: []string{`"scopes_supported":["openid","profile","offline_access"]`, `"scopes_supported":["openid","profile","email","offline_access"]`}},
		},
	}, {
		name:  "all samples",
		shows: "Every kind of consumer, each with a different source of effective scopes. Ready stays False, because no kubelet starts the pods.",
		commands: []command{
			{args: apply(""), says: []string{"mcpremoteproxy.toolhive.stacklok.dev/tickets created", "virtualmcpserver.toolhive.stacklok.dev/office created"}},
			{args: waitFor("BaselineScopesValid=True", "mcpexternalauthconfig/auth", "mcpserver/weather", "mcpremoteproxy/tickets", "virtualmcpserver/office")},
			{args: words("get toolhive"), says: []string{"weather", "tickets", "office", v1alpha1.ReasonBaselineScopesSupported}},
		},
	}}
}
