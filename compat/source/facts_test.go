package source

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// TestFacts compares every release with what scopegate knows.
func TestFacts(t *testing.T) {
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			for _, difference := range compare(r.Files(t)) {
				t.Errorf("ToolHive %s, %s", r.Version, difference)
			}
		})
	}
	t.Logf("%d facts", len(facts))
}

func compare(files fs.FS) (differences []string) {
	for _, fact := range facts {
		f, err := parse(files, fact.file)
		if err != nil {
			differences = append(differences, fmt.Sprintf("%s: %s: %v", fact.file, fact.name, err))
			continue
		}
		if difference := fact.compare(f); difference != "" {
			differences = append(differences, difference)
		}
	}
	return differences
}

func (c fact) compare(f *file) string {
	var got []word
	var source []string
	for _, node := range c.find.nodes(f) {
		got = append(got, words(f.source(node), f.line(node.Pos()))...)
		source = append(source, f.source(node))
	}
	if len(got) == 0 {
		return fmt.Sprintf("%s: %s: not there any more, looked for\n%s%s", f.place(c.find.within), c.name, c.find.key, c.want[0])
	}
	line := 0
	for _, want := range c.want {
		at, differs := firstDifference(got, words(want, 0))
		if !differs {
			return ""
		}
		line = max(line, at)
	}
	return fmt.Sprintf("%s:%d: %s: it is\n%s\nscopegate knows it as\n%s",
		f.path, line, c.name, strings.Join(source, "; "), strings.Join(c.want, "\nor as\n"))
}

func firstDifference(got, want []word) (line int, differs bool) {
	for i := range got {
		if i == len(want) || got[i].text != want[i].text {
			return got[i].line, true
		}
	}
	return got[len(got)-1].line, len(got) < len(want)
}

type fact struct {
	name string
	file string
	find find
	// want is the expected Go source. It has several entries if releases differ
	// in a way that does not matter here.
	want []string
}

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

// renderOfReference is how the run config of an MCPServer or MCPRemoteProxy is made.
const renderOfReference = `BuildAuthServerRunConfig(namespace, mcpServerName, authServerConfig,
	[]string{oidcConfig.ResourceURL}, oidcConfig.Scopes, oidcConfig.ResourceURL)`

var facts = []fact{
	// The labels by which the policies on pods find the consumer of a pod. A pod template
	// has them whatever a user adds: in an MCPServer or MCPRemoteProxy the operator's own
	// win, and those of a VirtualMCPServer are the Deployment's selector, which the API
	// server compares with the template.
	{"the labels of an MCPServer's pods", serverController, body("labelsForMCPServer"), podLabels("mcpserver")},
	{"the labels of an MCPRemoteProxy's pods", proxyController, body("labelsForMCPRemoteProxy"), podLabels("mcpremoteproxy")},
	{"the labels of a VirtualMCPServer's pods", virtualController, body("labelsForVirtualMCPServer"), podLabels("virtualmcpserver")},
	{"the labels in an MCPServer's pod template", serverController, assigned("MCPServerReconciler.deploymentForMCPServer", "deploymentTemplateLabels"),
		[]string{`deploymentTemplateLabels := ls;
			deploymentTemplateLabels = ctrlutil.MergeLabels(ls, m.Spec.ResourceOverrides.ProxyDeployment.PodTemplateMetadataOverrides.Labels)`}},
	{"the labels in an MCPRemoteProxy's pod template", proxyDeployment, assigned("MCPRemoteProxyReconciler.buildPodTemplateMetadata", "templateLabels"),
		[]string{"templateLabels := baseLabels; templateLabels = ctrlutil.MergeLabels(baseLabels, overrides.Labels)"}},
	{"the selector of an MCPServer's Deployment", serverController, entry("MCPServerReconciler.deploymentForMCPServer", "MatchLabels"), []string{"ls"}},
	{"the selector of an MCPRemoteProxy's Deployment", proxyDeployment, entry("MCPRemoteProxyReconciler.deploymentForMCPRemoteProxy", "MatchLabels"), []string{"ls"}},
	{"the selector of a VirtualMCPServer's Deployment", virtualDeployment, entry("VirtualMCPServerReconciler.deploymentForVirtualMCPServer", "MatchLabels"), []string{"ls"}},
	{"whose labels are in an MCPServer's Deployment", serverController, assigned("MCPServerReconciler.deploymentForMCPServer", "ls"), []string{"ls := labelsForMCPServer(m.Name)"}},
	{"whose labels are in an MCPRemoteProxy's Deployment", proxyDeployment, assigned("MCPRemoteProxyReconciler.deploymentForMCPRemoteProxy", "ls"), []string{"ls := labelsForMCPRemoteProxy(proxy.Name)"}},
	{"whose labels are in a VirtualMCPServer's Deployment", virtualDeployment, assigned("VirtualMCPServerReconciler.deploymentForVirtualMCPServer", "ls"), []string{"ls := labelsForVirtualMCPServer(vmcp.Name)"}},
	{"which labels win", resources, body("MergeLabels"), []string{"{ return MergeStringMaps(defaultLabels, overrideLabels) }"}},
	{"which strings win", resources, body("MergeStringMaps"), []string{`{
		result := make(map[string]string)
		for k, v := range overrideMap {
			result[k] = v
		}
		for k, v := range defaultMap {
			result[k] = v
		}
		return result
	}`}},

	// The pods of the MCP server behind a proxy have none of these labels, so no policy
	// refuses them.
	{"the labels of a backend's pods", backendLabels, body("AddStandardLabels"), []string{`{
		labels[LabelToolHive] = LabelToolHiveValue
		labels[LabelName] = containerName
		labels[LabelBaseName] = containerBaseName
		labels[LabelTransport] = transportType
		labels[LabelPort] = fmt.Sprintf("%d", port)
	}`}},
	{"the name label of a backend's pods", backendLabels, value("LabelName"), quoted("toolhive-name")},
	{"the other labels of a backend's pods", backendClient, assigned("Client.DeployWorkload", "containerLabels"),
		[]string{`containerLabels["app"] = containerName; containerLabels["toolhive"] = "true"`}},

	// An edit of an MCPServer rolls its pods, whatever it changes.
	{"the generation in an MCPServer's pod template", serverController, entry("MCPServerReconciler.deploymentForMCPServer", "kubernetes.RunConfigMCPServerGenerationAnnotation"),
		[]string{"strconv.FormatInt(m.Generation, 10)"}},
	{"the annotation with an MCPServer's generation", backendClient, value("RunConfigMCPServerGenerationAnnotation"), quoted(toolhive.GenerationAnnotation)},

	// Which config counts.
	{"which of two references counts", authServerRender, body("EmbeddedAuthServerConfigName"), []string{`{
		if authServerRef != nil {
			return authServerRef.Name
		}
		if extAuthRef != nil {
			return extAuthRef.Name
		}
		return ""
	}`}},

	// Where the effective scopes come from.
	{"the default scopes", registration, value("DefaultScopes"), []string{goList(toolhive.DefaultScopes)}},
	{"the scopes of a reference to an inline MCPOIDCConfig", oidcResolver, entry("resolver.resolveFromInlineSharedConfig", "Scopes"), []string{"ref.Scopes"}},
	{"the scopes of a reference to a service account's MCPOIDCConfig", oidcResolver, entry("resolver.resolveFromK8sServiceAccountConfig", "Scopes"), []string{"ref.Scopes"}},
	{"the effective scopes of an authServerRef", authServerRender, calls("AddAuthServerRefOptions", "BuildAuthServerRunConfig"), []string{renderOfReference}},
	{"the effective scopes of an externalAuthConfigRef", authServerRender, calls("AddEmbeddedAuthServerConfigOptions", "BuildAuthServerRunConfig"), []string{renderOfReference}},
	{"the effective scopes of a VirtualMCPServer", virtualRender, calls("Converter.convertAuthServerConfig", "controllerutil.BuildAuthServerRunConfig"),
		[]string{`controllerutil.BuildAuthServerRunConfig(vmcp.Namespace, vmcp.Name, vmcp.Spec.AuthServerConfig,
			deriveAllowedAudiences(config), deriveScopesSupported(config), deriveResourceURL(config))`}},
	{"the scopes of a VirtualMCPServer", virtualRender, body("deriveScopesSupported"), []string{`{
		if config.IncomingAuth == nil || config.IncomingAuth.OIDC == nil {
			return nil
		}
		if len(config.IncomingAuth.OIDC.Scopes) == 0 {
			return nil
		}
		return config.IncomingAuth.OIDC.Scopes
	}`}},
	{"the effective scopes that the operator renders", authServerRender, entry("BuildAuthServerRunConfig", "ScopesSupported"), []string{"scopesSupported"}},
	{"the baseline that the operator renders", authServerRender, entry("BuildAuthServerRunConfig", "BaselineClientScopes"),
		[]string{"authConfig.BaselineClientScopes"}},

	// How an auth server validates its baseline.
	{"the validation at the start of an auth server", authServerStart, calls("NewEmbeddedAuthServer", "cfg.Validate"), []string{"cfg.Validate()"}},
	{"the validation of a run config", authServerConfig, calls("RunConfig.Validate", "c.validateBaselineClientScopes"), []string{"c.validateBaselineClientScopes()"}},
	{"the validation of the baseline", authServerConfig, body("RunConfig.validateBaselineClientScopes"), []string{`{
		effective := c.ScopesSupported
		if len(effective) == 0 {
			effective = registration.DefaultScopes
		}
		return registration.ValidateScopeSubset(c.BaselineClientScopes, effective, "baseline_client_scopes")
	}`}},
	{"the subset test of the baseline", scopeValidation, body("ValidateScopeSubset"), []string{`{
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
	}`}},
}

// podLabels is the function that returns the labels of a kind's pods.
func podLabels(kind string) []string {
	return []string{fmt.Sprintf(`{
		return map[string]string{"app": %q, %q: %q, %q: name, %q: "true", "toolhive-name": name}
	}`, kind, toolhive.NameLabel, kind, toolhive.InstanceLabel, toolhive.OwnedLabel)}
}

func quoted(texts ...string) []string {
	var wants []string
	for _, text := range texts {
		wants = append(wants, strconv.Quote(text))
	}
	return wants
}

func goList(texts []string) string {
	return "[]string{" + strings.Join(quoted(texts...), ", ") + "}"
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
