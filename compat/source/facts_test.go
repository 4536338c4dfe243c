package source

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// TestFacts compares every release with what scopegate knows.
func TestFacts(t *testing.T) {
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			files := r.Files(t)
			for _, fact := range facts {
				f := parse(t, files, fact.file)
				within := f.declared(fact.within)
				got := f.source(within)
				if fact.part != "" {
					got = strings.Join(regexp.MustCompile(fact.part).FindAllString(got, -1), " ; ")
				}
				expect.Equal(t, fmt.Sprintf("%s: %s", f.place(within), fact.name), strings.Fields(tokens(fact.want)), strings.Fields(got))
			}
		})
	}
	t.Logf("%d facts", len(facts))
}

// fact is a piece of ToolHive's source that scopegate relies on.
type fact struct {
	name, file string
	// within is what contains it, by the name that declared takes.
	within string
	// part matches what counts there, of which there may be several. The whole counts
	// if it is empty.
	part string
	// want is the expected Go source.
	want string
}

// value matches what a key or a field has in a composite literal.
func value(key string) string { return `\b` + key + ` : [^,}]*` }

// assigned matches the assignments to a variable, or to entries of a map.
func assigned(variable string) string { return `\b` + variable + `( \[ [^]]* \])? :?= [^;{}]*` }

const (
	authServerConfig = "pkg/authserver/config.go"
	authServerStart  = "pkg/authserver/runner/embeddedauthserver.go"
	registration     = "pkg/authserver/server/registration/client.go"
	scopeValidation  = "pkg/authserver/server/registration/dcr.go"

	controllers       = "cmd/thv-operator/controllers/"
	serverController  = controllers + "mcpserver_controller.go"
	proxyController   = controllers + "mcpremoteproxy_controller.go"
	proxyDeployment   = controllers + "mcpremoteproxy_deployment.go"
	virtualController = controllers + "virtualmcpserver_controller.go"
	virtualDeployment = controllers + "virtualmcpserver_deployment.go"
	resources         = "cmd/thv-operator/pkg/controllerutil/resources.go"
	backendLabels     = "pkg/labels/labels.go"
	backendClient     = "pkg/container/kubernetes/client.go"
	authServerRender  = "cmd/thv-operator/pkg/controllerutil/authserver.go"
	virtualRender     = "cmd/thv-operator/pkg/vmcpconfig/converter.go"
	oidcResolver      = "cmd/thv-operator/pkg/oidc/resolver.go"
)

// renderCall matches the call that renders a run config. renderOfReference is that call
// for an MCPServer or an MCPRemoteProxy.
const (
	renderCall        = `BuildAuthServerRunConfig \([^()]*(\([^()]*\)[^()]*)*\)`
	renderOfReference = `BuildAuthServerRunConfig(namespace, mcpServerName, authServerConfig,
		[]string{oidcConfig.ResourceURL}, oidcConfig.Scopes, oidcConfig.ResourceURL)`
)

var facts = []fact{
	// The labels by which the policies on pods find the consumer of a pod. A pod template
	// has them whatever a user adds: in an MCPServer or MCPRemoteProxy the operator's own
	// win, and those of a VirtualMCPServer are the Deployment's selector, which the API
	// server compares with the template.
	{"the labels of an MCPServer's pods", serverController, "labelsForMCPServer", "", podLabels("mcpserver")},
	{"the labels of an MCPRemoteProxy's pods", proxyController, "labelsForMCPRemoteProxy", "", podLabels("mcpremoteproxy")},
	{"the labels of a VirtualMCPServer's pods", virtualController, "labelsForVirtualMCPServer", "", podLabels("virtualmcpserver")},
	{"the labels in an MCPServer's pod template", serverController, "MCPServerReconciler.deploymentForMCPServer", assigned("deploymentTemplateLabels"),
		`deploymentTemplateLabels := ls;
			deploymentTemplateLabels = ctrlutil.MergeLabels(ls, m.Spec.ResourceOverrides.ProxyDeployment.PodTemplateMetadataOverrides.Labels)`},
	{"the labels in an MCPRemoteProxy's pod template", proxyDeployment, "MCPRemoteProxyReconciler.buildPodTemplateMetadata", assigned("templateLabels"),
		"templateLabels := baseLabels; templateLabels = ctrlutil.MergeLabels(baseLabels, overrides.Labels)"},
	{"the selector of an MCPServer's Deployment", serverController, "MCPServerReconciler.deploymentForMCPServer", value("MatchLabels"), "MatchLabels: ls"},
	{"the selector of an MCPRemoteProxy's Deployment", proxyDeployment, "MCPRemoteProxyReconciler.deploymentForMCPRemoteProxy", value("MatchLabels"), "MatchLabels: ls"},
	{"the selector of a VirtualMCPServer's Deployment", virtualDeployment, "VirtualMCPServerReconciler.deploymentForVirtualMCPServer", value("MatchLabels"), "MatchLabels: ls"},
	{"whose labels are in an MCPServer's Deployment", serverController, "MCPServerReconciler.deploymentForMCPServer", assigned("ls"), "ls := labelsForMCPServer(m.Name)"},
	{"whose labels are in an MCPRemoteProxy's Deployment", proxyDeployment, "MCPRemoteProxyReconciler.deploymentForMCPRemoteProxy", assigned("ls"), "ls := labelsForMCPRemoteProxy(proxy.Name)"},
	{"whose labels are in a VirtualMCPServer's Deployment", virtualDeployment, "VirtualMCPServerReconciler.deploymentForVirtualMCPServer", assigned("ls"), "ls := labelsForVirtualMCPServer(vmcp.Name)"},
	{"which labels win", resources, "MergeLabels", "", "{ return MergeStringMaps(defaultLabels, overrideLabels) }"},
	{"which strings win", resources, "MergeStringMaps", "", `{
		result := make(map[string]string)
		for k, v := range overrideMap {
			result[k] = v
		}
		for k, v := range defaultMap {
			result[k] = v
		}
		return result
	}`},

	// The pods of the MCP server behind a proxy have none of these labels, so no policy
	// refuses them.
	{"the labels of a backend's pods", backendLabels, "AddStandardLabels", "", `{
		labels[LabelToolHive] = LabelToolHiveValue
		labels[LabelName] = containerName
		labels[LabelBaseName] = containerBaseName
		labels[LabelTransport] = transportType
		labels[LabelPort] = fmt.Sprintf("%d", port)
	}`},
	{"the name label of a backend's pods", backendLabels, "LabelName", "", `"toolhive-name"`},
	{"the other labels of a backend's pods", backendClient, "Client.DeployWorkload", assigned("containerLabels"),
		`containerLabels["app"] = containerName; containerLabels["toolhive"] = "true"`},

	// An edit of an MCPServer rolls its pods, whatever it changes.
	{"the generation in an MCPServer's pod template", serverController, "MCPServerReconciler.deploymentForMCPServer", `RunConfigMCPServerGenerationAnnotation \] = [^;}]*`,
		"RunConfigMCPServerGenerationAnnotation] = strconv.FormatInt(m.Generation, 10)"},
	{"the annotation with an MCPServer's generation", backendClient, "RunConfigMCPServerGenerationAnnotation", "", strconv.Quote(toolhive.GenerationAnnotation)},

	// Which config counts.
	{"which of two references counts", authServerRender, "EmbeddedAuthServerConfigName", "", `{
		if authServerRef != nil {
			return authServerRef.Name
		}
		if extAuthRef != nil {
			return extAuthRef.Name
		}
		return ""
	}`},

	// Where the effective scopes come from.
	{"the default scopes", registration, "DefaultScopes", "", fmt.Sprintf("%#v", toolhive.DefaultScopes)},
	{"the scopes of a reference to an inline MCPOIDCConfig", oidcResolver, "resolver.resolveFromInlineSharedConfig", value("Scopes"), "Scopes: ref.Scopes"},
	{"the scopes of a reference to a service account's MCPOIDCConfig", oidcResolver, "resolver.resolveFromK8sServiceAccountConfig", value("Scopes"), "Scopes: ref.Scopes"},
	{"the effective scopes of an authServerRef", authServerRender, "AddAuthServerRefOptions", renderCall, renderOfReference},
	{"the effective scopes of an externalAuthConfigRef", authServerRender, "AddEmbeddedAuthServerConfigOptions", renderCall, renderOfReference},
	{"the effective scopes of a VirtualMCPServer", virtualRender, "Converter.convertAuthServerConfig", renderCall,
		`BuildAuthServerRunConfig(vmcp.Namespace, vmcp.Name, vmcp.Spec.AuthServerConfig,
			deriveAllowedAudiences(config), deriveScopesSupported(config), deriveResourceURL(config))`},
	{"the scopes of a VirtualMCPServer", virtualRender, "deriveScopesSupported", "", `{
		if config.IncomingAuth == nil || config.IncomingAuth.OIDC == nil {
			return nil
		}
		if len(config.IncomingAuth.OIDC.Scopes) == 0 {
			return nil
		}
		return config.IncomingAuth.OIDC.Scopes
	}`},
	{"the effective scopes that the operator renders", authServerRender, "BuildAuthServerRunConfig", value("ScopesSupported"), "ScopesSupported: scopesSupported"},
	{"the baseline that the operator renders", authServerRender, "BuildAuthServerRunConfig", value("BaselineClientScopes"), "BaselineClientScopes: authConfig.BaselineClientScopes"},

	// How an auth server validates its baseline.
	{"the validation at the start of an auth server", authServerStart, "NewEmbeddedAuthServer", `cfg \. Validate \( [^)]*\)`, "cfg.Validate()"},
	{"the validation of a run config", authServerConfig, "RunConfig.Validate", `c \. validateBaselineClientScopes \( [^)]*\)`, "c.validateBaselineClientScopes()"},
	{"the validation of the baseline", authServerConfig, "RunConfig.validateBaselineClientScopes", "", `{
		effective := c.ScopesSupported
		if len(effective) == 0 {
			effective = registration.DefaultScopes
		}
		return registration.ValidateScopeSubset(c.BaselineClientScopes, effective, "baseline_client_scopes")
	}`},
	{"the subset test of the baseline", scopeValidation, "ValidateScopeSubset", "", `{
		if len(subset) == 0 {
			return nil
		}
		supported := make(map[string]bool, len(superset))
		for _, s := range superset {
			supported[s] = true
		}
		for _, s := range subset {
			if !supported[s] {
				return fmt.Errorf("%s contains %q which is not in scopes_supported", fieldName, s)
			}
		}
		return nil
	}`},
}

// podLabels is the function that returns the labels of a kind's pods.
func podLabels(kind string) string {
	return fmt.Sprintf(`{
		return map[string]string{"app": %q, %q: %q, %q: name, %q: "true", "toolhive-name": name}
	}`, kind, toolhive.NameLabel, kind, toolhive.InstanceLabel, toolhive.OwnedLabel)
}

// TestOperatorOnlyRendersTheBaseline notices a ToolHive that validates the baseline in its
// operator (its issue 5252): docs/compatibility.md says what scopegate does then.
func TestOperatorOnlyRendersTheBaseline(t *testing.T) {
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			files, uses := r.Files(t), []string{}
			err := fs.WalkDir(files, "cmd/thv-operator", func(path string, _ fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "zz_generated") {
					return err
				}
				text, err := fs.ReadFile(files, path)
				if strings.Contains(string(text), ".BaselineClientScopes") {
					uses = append(uses, path)
				}
				return err
			})
			if err != nil || !slices.Equal(uses, []string{authServerRender}) {
				t.Errorf("the baseline is read in %v (%v), want %s alone", uses, err, authServerRender)
			}
		})
	}
}
