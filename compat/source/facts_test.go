package source

import (
	"fmt"
	"io/fs"
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
			for _, difference := range compare(r.Files(t)) {
				t.Errorf("ToolHive %s, %s", r.Version, difference)
			}
		})
	}
	t.Logf("%d facts", len(facts))
}

// TestPlaces looks for places that write run configs and that scopegate does not
// know.
func TestPlaces(t *testing.T) {
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			differences, err := comparePlaces(r.Files(t))
			expect.NoError(t, err)
			for _, difference := range differences {
				t.Errorf("ToolHive %s, %s", r.Version, difference)
			}
		})
	}
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
	proxyConfig      = "pkg/runner/config.go"
	authServerConfig = "pkg/authserver/config.go"
	authServerStart  = "pkg/authserver/runner/embeddedauthserver.go"
	registration     = "pkg/authserver/server/registration/client.go"
	scopeValidation  = "pkg/authserver/server/registration/dcr.go"

	controllers      = "cmd/thv-operator/controllers/"
	serverWriter     = controllers + "mcpserver_runconfig.go"
	proxyWriter      = controllers + "mcpremoteproxy_runconfig.go"
	virtualWriter    = controllers + "virtualmcpserver_vmcpconfig.go"
	virtualRollout   = controllers + "virtualmcpserver_controller.go"
	checksums        = "cmd/thv-operator/pkg/runconfig/configmap/checksum/checksum.go"
	authServerRender = "cmd/thv-operator/pkg/controllerutil/authserver.go"
	virtualRender    = "cmd/thv-operator/pkg/vmcpconfig/converter.go"
	oidcResolver     = "cmd/thv-operator/pkg/oidc/resolver.go"
)

// renderOfReference is how the run config of an MCPServer or MCPRemoteProxy is made.
const renderOfReference = `BuildAuthServerRunConfig(namespace, mcpServerName, authServerConfig,
	[]string{oidcConfig.ResourceURL}, oidcConfig.Scopes, oidcConfig.ResourceURL)`

var facts = []fact{
	// How a run config is encoded: names, layout, version.
	{"the auth server's section of a run config", proxyConfig, field("RunConfig", "EmbeddedAuthServerConfig"),
		[]string{"EmbeddedAuthServerConfig *authserver.RunConfig " + tag(toolhive.AuthServerSection)}},
	{"the effective scopes of a run config", authServerConfig, field("RunConfig", "ScopesSupported"),
		[]string{"ScopesSupported []string " + tag(toolhive.ScopesSupportedKey)}},
	{"the baseline of a run config", authServerConfig, field("RunConfig", "BaselineClientScopes"),
		[]string{"BaselineClientScopes []string " + tag(toolhive.BaselineClientScopesKey)}},
	{"the schema version of a proxy's run config", proxyConfig, value("CurrentSchemaVersion"), quoted(toolhive.SchemaVersion)},
	{"the schema version of an auth server's run config", authServerConfig, value("CurrentSchemaVersion"), quoted(toolhive.SchemaVersion)},
	{"the encoding of an MCPServer's run config", serverWriter, calls("MCPServerReconciler.ensureRunConfigConfigMap", "json.MarshalIndent"),
		[]string{`json.MarshalIndent(runConfig, "", "  ")`}},
	{"the JSON encoder of an MCPServer's run config", serverWriter, imported("json"), quoted("encoding/json")},
	{"the encoding of an MCPRemoteProxy's run config", proxyWriter, calls("MCPRemoteProxyReconciler.ensureRunConfigConfigMap", "json.MarshalIndent"),
		[]string{`json.MarshalIndent(runConfig, "", "  ")`}},
	{"the JSON encoder of an MCPRemoteProxy's run config", proxyWriter, imported("json"), quoted("encoding/json")},
	{"the encoding of a VirtualMCPServer's run config", virtualWriter, calls("VirtualMCPServerReconciler.ensureVmcpConfigConfigMap", "yaml.Marshal"),
		[]string{"yaml.Marshal(config); yaml.Marshal(authServerRC)"}},
	// Both indent alike. They differ only in the value "<<", and in values with a
	// leading line break, which the CRDs reject as scopes.
	{"the YAML encoder of a VirtualMCPServer's run config", virtualWriter, imported("yaml"), quoted("gopkg.in/yaml.v3", "go.yaml.in/yaml/v3")},

	// Where a run config is stored.
	{"the ConfigMap's key of an MCPServer's run config", serverWriter, entry("MCPServerReconciler.ensureRunConfigConfigMap", strconv.Quote(toolhive.RunConfigKey)),
		[]string{"string(runConfigJSON)"}},
	{"the ConfigMap's key of an MCPRemoteProxy's run config", proxyWriter, entry("MCPRemoteProxyReconciler.ensureRunConfigConfigMap", strconv.Quote(toolhive.RunConfigKey)),
		[]string{"string(runConfigJSON)"}},
	{"the ConfigMap's key of a VirtualMCPServer's run config", virtualWriter, entry("VirtualMCPServerReconciler.ensureVmcpConfigConfigMap", strconv.Quote(toolhive.AuthServerConfigKey)),
		[]string{"string(authServerYAML)"}},
	{"the label of an MCPServer's run config", serverWriter, entry("labelsForRunConfig", strconv.Quote(toolhive.ComponentLabel)), quoted(toolhive.ComponentRunConfig)},
	{"the label of an MCPRemoteProxy's run config", proxyWriter, entry("labelsForRunConfigRemoteProxy", strconv.Quote(toolhive.ComponentLabel)), quoted(toolhive.ComponentRunConfig)},
	{"the label of a VirtualMCPServer's run config", virtualWriter, entry("labelsForVmcpConfig", strconv.Quote(toolhive.ComponentLabel)), quoted(toolhive.ComponentVMCP)},
	{"the annotation with the checksum of a run config", checksums, value("ContentChecksumAnnotation"), quoted(toolhive.ContentChecksumAnnotation)},
	{"the annotation of pods with that checksum", checksums, value("RunConfigChecksumAnnotation"), quoted(toolhive.RunConfigChecksumAnnotation)},
	{"the checksum that rolls the pods of an MCPServer or MCPRemoteProxy", checksums, index("RunConfigChecksumFetcher.GetRunConfigChecksum", "configMap.Annotations"),
		[]string{"configMap.Annotations[ContentChecksumAnnotation]"}},
	{"the checksum that rolls the pods of a VirtualMCPServer", virtualRollout, index("VirtualMCPServerReconciler.getVmcpConfigChecksum", "configMap.Annotations"),
		[]string{"configMap.Annotations[checksum.ContentChecksumAnnotation]"}},

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

func tag(name string) string {
	return fmt.Sprintf("`json:\"%[1]s,omitempty\" yaml:\"%[1]s,omitempty\"`", name)
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
