package main

import (
	"fmt"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// guardInstall is the first step of the guard: what its users apply. It needs no image
// here, as the manager runs in this process.
func guardInstall() []step {
	return []step{{
		name:     "the guard is installed",
		shows:    "This cluster has ToolHive's CRDs. The guard adds policies of the API server and a manager, and changes no CRD.",
		commands: []command{{args: words("apply --server-side -k", "config/guard"), says: []string{"validatingadmissionpolicy.admissionregistration.k8s.io/scopegate-consumers serverside-applied"}}},
	}}
}

// guardSteps are the other steps of the guard, while its manager runs.
func guardSteps() []step {
	const oneObject = mistakes + "/baseline-not-in-own-oidc-scopes.yaml"
	const twoObjects = mistakes + "/consumer-drops-a-baseline-scope.yaml"
	return []step{{
		name:  "a mistake that one object tells",
		shows: "The default mode is warn: each edit is admitted, and a bad one gets a warning.",
		commands: []command{
			{args: apply("00-namespace.yaml", "10-upstream-secret.yaml", "20-oidc-config.yaml"), says: []string{"mcpoidcconfig.toolhive.stacklok.dev/tokens created"}},
			{args: words("config set-context --current --namespace " + namespace), check: inForce(apply(oneObject), "Warning: ")},
			{args: apply(oneObject), says: []string{
				"Warning: ", guard.VirtualMCPServersPolicy, `VirtualMCPServer "office" does not support scope "calendar.read"`, "virtualmcpserver.toolhive.stacklok.dev/office created"}},
			{args: words("delete virtualmcpserver office")},
		},
	}, {
		name:  "mode enforce",
		shows: "The label of a namespace chooses the mode. In mode enforce the API server rejects what one object tells.",
		commands: []command{
			{args: words("label namespace " + namespace + " " + guard.ModeLabel + "=" + guard.ModeEnforce), check: inForce(apply(oneObject), "denied request")},
			{args: apply(oneObject), refused: true, says: []string{"denied request", `VirtualMCPServer "office" does not support scope "calendar.read"`}},
		},
	}, {
		name:  "a correct config and its consumer",
		shows: "The condition BaselineScopesValid is True. ToolHive's operator would create a Deployment now. It does not run here,\nso this walk creates one with the same labels.",
		commands: []command{
			{args: apply("30-auth-config.yaml", "40-mcp-server.yaml")},
			{args: waitFor("BaselineScopesValid=True", "mcpexternalauthconfig/auth", "mcpserver/weather"), check: createDeployment},
			{args: awaitPods(1)},
			{args: words("get deployments,replicasets,pods"), says: []string{"deployment.apps/weather", "pod/weather-"}, check: inForce(apply(twoObjects), "Warning: ")},
		},
	}, {
		name:  "a mistake that two objects decide",
		shows: "The consumer drops a scope that the baseline of the config needs. The edit gets a warning, as a correct commit may\npass through such a state, and the condition tells.",
		commands: []command{
			{args: apply(twoObjects), says: []string{"Warning: ", guard.ConsumersPolicy, `MCPServer "weather" does not support scope "offline_access"`, "mcpserver.toolhive.stacklok.dev/weather configured"}},
			{args: waitFor("BaselineScopesValid=False", "mcpexternalauthconfig/auth", "mcpserver/weather")},
		},
	}, {
		name:  "no pod is created",
		shows: "ToolHive's operator would roll the Deployment out, so this walk does. The API server refuses the new pod, whose auth\nserver would crash at its start. The old pod goes on running.",
		commands: []command{
			{args: words("get mcpserver weather -o", `jsonpath={.status.conditions[?(@.type=="BaselineScopesValid")].message}`), says: []string{`"offline_access"`}},
			{args: words("patch deployment weather --patch", fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{%q:"2"}}}}}`, toolhive.GenerationAnnotation))},
			{args: waitFor("ReplicaFailure", "deployment/weather")},
			{args: words("get deployment weather -o", `jsonpath={.status.conditions[?(@.type=="ReplicaFailure")].message}`), says: []string{"denied request", guard.PodsOfMCPServersPolicy, `"offline_access"`}},
			{args: words("get replicasets -o", `jsonpath={range .items[*]}{.metadata.name}: {.status.replicas} pods{"\n"}{end}`), says: []string{": 0 pods", ": 1 pods"}},
			{args: words("scopegate tree"), says: []string{"MCPServer/weather", "NotSupported: offline_access", "ReplicaFailure"}},
		},
	}, {
		name:  "the repair rolls out",
		shows: "The consumer lists the scope again, and nothing else is needed. The old pod ends once the new one is ready.",
		commands: []command{
			{args: apply("40-mcp-server.yaml"), says: []string{"mcpserver.toolhive.stacklok.dev/weather configured"}},
			{args: waitFor("BaselineScopesValid=True", "mcpexternalauthconfig/auth", "mcpserver/weather")},
			{args: awaitPods(2)},
			{args: words("scopegate tree"), says: []string{"MCPServer/weather", "Supported"}},
		},
	}}
}

// awaitPods returns the kubectl arguments that wait until the Deployment has n pods.
func awaitPods(n int) []string {
	return words("wait --timeout=2m deployment/weather", fmt.Sprintf("--for=jsonpath={.status.replicas}=%d", n))
}
