package source

import (
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// edits change each fact once, in the newest release.
var edits = map[string]struct{ old, new string }{
	"the labels of an MCPServer's pods":                   {`"app.kubernetes.io/name":     "mcpserver"`, `"app.kubernetes.io/name":     "mcp-server"`},
	"the labels of an MCPRemoteProxy's pods":              {`"app.kubernetes.io/instance": name`, `"app.kubernetes.io/instance": "proxy-" + name`},
	"the labels of a VirtualMCPServer's pods":             {`"toolhive":                   "true"`, `"toolhive":                   "yes"`},
	"the labels in an MCPServer's pod template":           {"deploymentTemplateLabels = ctrlutil.MergeLabels(ls,", "deploymentTemplateLabels = ctrlutil.Override(ls,"},
	"the labels in an MCPRemoteProxy's pod template":      {"templateLabels = ctrlutil.MergeLabels(baseLabels, overrides.Labels)", "templateLabels = overrides.Labels"},
	"the selector of an MCPServer's Deployment":           {"MatchLabels: ls, // Keep", "MatchLabels: deploymentLabels, // Keep"},
	"the selector of an MCPRemoteProxy's Deployment":      {"MatchLabels: ls", "MatchLabels: deploymentLabels"},
	"the selector of a VirtualMCPServer's Deployment":     {"MatchLabels: ls", "MatchLabels: selectorFor(ls)"},
	"whose labels are in an MCPServer's Deployment":       {"ls := labelsForMCPServer(m.Name)", "ls := labelsForMCPServer(m.Namespace)"},
	"whose labels are in an MCPRemoteProxy's Deployment":  {"ls := labelsForMCPRemoteProxy(proxy.Name)", "ls := proxy.Labels"},
	"whose labels are in a VirtualMCPServer's Deployment": {"ls := labelsForVirtualMCPServer(vmcp.Name)", "ls := labelsForVirtualMCPServer(vmcp.Name + \"-vmcp\")"},
	"which labels win":                                               {"MergeStringMaps(defaultLabels, overrideLabels)", "MergeStringMaps(overrideLabels, defaultLabels)"},
	"which strings win":                                              {"result[k] = v // default takes precedence", "result[k] += v // default takes precedence"},
	"the labels of a backend's pods":                                 {"labels[LabelName] = containerName\n", "labels[LabelName] = containerName\n\tlabels[LabelKind] = \"mcpserver\"\n"},
	"the name label of a backend's pods":                             {`LabelName = "toolhive-name"`, `LabelName = "app.kubernetes.io/name"`},
	"the other labels of a backend's pods":                           {`containerLabels["toolhive"] = "true"`, `containerLabels["app.kubernetes.io/name"] = "mcpserver"`},
	"the generation in an MCPServer's pod template":                  {"strconv.FormatInt(m.Generation, 10)", "strconv.FormatInt(m.Status.ObservedGeneration, 10)"},
	"the annotation with an MCPServer's generation":                  {`"toolhive.stacklok.dev/mcpserver-generation"`, `"toolhive.stacklok.dev/generation"`},
	"which of two references counts":                                 {"\tif authServerRef != nil {\n\t\treturn authServerRef.Name\n\t}\n\tif extAuthRef", "\tif authServerRef != nil && extAuthRef == nil {\n\t\treturn authServerRef.Name\n\t}\n\tif extAuthRef"},
	"the default scopes":                                             {`"openid", "profile", "email", "offline_access"}`, `"openid", "profile", "offline_access"}`},
	"the scopes of a reference to an inline MCPOIDCConfig":           {"Scopes:                          ref.Scopes", "Scopes:                          config.Scopes"},
	"the scopes of a reference to a service account's MCPOIDCConfig": {"Scopes:   ref.Scopes", "Scopes:   withDefaults(ref.Scopes)"},
	"the effective scopes of an authServerRef":                       {"EmbeddedAuthServerConfigSourceAuthServerRef, err)\n\t}\n\n\t// Build the embedded auth server config for runner\n\tembeddedConfig, err := BuildAuthServerRunConfig(\n\t\tnamespace, mcpServerName, authServerConfig,\n\t\t[]string{oidcConfig.ResourceURL}, oidcConfig.Scopes,", "EmbeddedAuthServerConfigSourceAuthServerRef, err)\n\t}\n\n\t// Build the embedded auth server config for runner\n\tembeddedConfig, err := BuildAuthServerRunConfig(\n\t\tnamespace, mcpServerName, authServerConfig,\n\t\t[]string{oidcConfig.ResourceURL}, authServerConfig.ScopesSupported,"},
	"the effective scopes of an externalAuthConfigRef":               {"EmbeddedAuthServerConfigSourceExternalAuthConfigRef, err)\n\t}\n\n\t// Build the embedded auth server config for runner\n\tembeddedConfig, err := BuildAuthServerRunConfig(\n\t\tnamespace, mcpServerName, authServerConfig,\n\t\t[]string{oidcConfig.ResourceURL}, oidcConfig.Scopes,", "EmbeddedAuthServerConfigSourceExternalAuthConfigRef, err)\n\t}\n\n\t// Build the embedded auth server config for runner\n\tembeddedConfig, err := BuildAuthServerRunConfig(\n\t\tnamespace, mcpServerName, authServerConfig,\n\t\t[]string{oidcConfig.ResourceURL}, nil,"},
	"the effective scopes of a VirtualMCPServer":                     {"\t\tderiveScopesSupported(config),", "\t\tvmcp.Spec.AuthServerConfig.ScopesSupported,"},
	"the scopes of a VirtualMCPServer":                               {"return config.IncomingAuth.OIDC.Scopes\n", "return append(config.IncomingAuth.OIDC.Scopes, \"openid\")\n"},
	"the effective scopes that the operator renders":                 {"ScopesSupported:              scopesSupported,", "ScopesSupported:              authConfig.ScopesSupported,"},
	"the baseline that the operator renders":                         {"BaselineClientScopes:         authConfig.BaselineClientScopes,", "BaselineClientScopes:         supported(authConfig.BaselineClientScopes),"},
	"the validation at the start of an auth server":                  {"if err := cfg.Validate(); err", "if err := cfg.Parse(); err"},
	"the validation of a run config":                                 {"\treturn c.validateBaselineClientScopes()\n}\n\n", "\treturn nil\n}\n\n"},
	"the validation of the baseline":                                 {"effective = registration.DefaultScopes\n\t}\n\treturn registration.ValidateScopeSubset", "effective = registration.OpenIDScopes\n\t}\n\treturn registration.ValidateScopeSubset"},
	"the subset test of the baseline":                                {"if !supported[s] {", "if !supported[strings.ToLower(s)] {"},
}

// TestEdits changes each fact in a copy of the newest release, and expects that
// the comparison reports it: its name, the file and the line.
func TestEdits(t *testing.T) {
	files := load(t, release.Newest)
	for _, fact := range facts {
		t.Run(fact.name, func(t *testing.T) {
			edit, ok := edits[fact.name]
			if !ok {
				t.Fatal("no edit changes this fact: add one to the table")
			}
			edited, line := apply(t, files, fact.file, edit.old, edit.new)
			differences := compare(edited)
			if len(differences) != 1 {
				t.Fatalf("got %d differences, want one:\n%s", len(differences), strings.Join(differences, "\n"))
			}
			f, err := parse(edited, fact.file)
			expect.NoError(t, err)
			at := fmt.Sprintf("%s:%d", fact.file, line)
			if len(fact.find.nodes(f)) == 0 {
				at = f.place(fact.find.within)
			}
			if want := at + ": " + fact.name; !strings.HasPrefix(differences[0], want) {
				t.Errorf("got %q\nwant %q", differences[0], want)
			}
			t.Log(differences[0])
		})
	}
	if len(edits) != len(facts) {
		t.Errorf("%d edits for %d facts", len(edits), len(facts))
	}
}

// TestRenderedEdits does the same for the fields of run configs.
func TestRenderedEdits(t *testing.T) {
	files, own := load(t, release.Newest), ownFields(t)
	for name, edit := range map[string]struct{ file, old, new, want string }{
		"renamed": {authServerConfig, "`json:\"issuer_url\" yaml:\"issuer_url\"`", "`json:\"issuer\" yaml:\"issuer_url\"`",
			`pkg/authserver/config.go: OIDCUpstreamRunConfig has no field "issuer_url" any more, which standalone mode renders`},
		"renamed in YAML": {authServerConfig, "yaml:\"redirect_uri,omitempty\"", "yaml:\"redirect,omitempty\"",
			`pkg/authserver/config.go:%d: field "redirect_uri" of OIDCUpstreamRunConfig is called "redirect" in YAML`},
		"another type": {authServerConfig, "AllowedAudiences []string", "AllowedAudiences string",
			`pkg/authserver/config.go:%d: field "allowed_audiences" of RunConfig has the type string, standalone mode renders list of string`},
		"another order": {storageConfig, "KeyPrefix string `json:\"key_prefix\"", "KeyPrefix string `json:\"write_timeout\" yaml:\"write_timeout\"`\n\tPrefix string `json:\"key_prefix\"",
			`pkg/authserver/storage/config.go:%d: field "write_timeout" of RedisRunConfig stands in another order: it comes before one that standalone mode renders first`},
	} {
		t.Run(name, func(t *testing.T) {
			edited, line := apply(t, files, edit.file, edit.old, edit.new)
			want := strings.Replace(edit.want, "%d", fmt.Sprint(line), 1)
			if differences := compareFields(edited, own); len(differences) != 1 || differences[0] != want {
				t.Errorf("got %q\nwant %q", differences, want)
			}
		})
	}
}

// load copies the files of the facts and of the rendered fields.
func load(t *testing.T, r release.Release) fstest.MapFS {
	t.Helper()
	files, loaded := r.Files(t), fstest.MapFS{}
	paths := []string{storageConfig}
	for _, fact := range facts {
		paths = append(paths, fact.file)
	}
	for _, path := range paths {
		text, err := fs.ReadFile(files, path)
		expect.NoError(t, err)
		loaded[path] = &fstest.MapFile{Data: text}
	}
	return loaded
}

// apply replaces the first occurrence of before in a file by after, and returns
// the line of the change.
func apply(t *testing.T, files fstest.MapFS, file, before, after string) (edited fstest.MapFS, line int) {
	t.Helper()
	text := string(files[file].Data)
	changed := strings.Replace(text, before, after, 1)
	if changed == text {
		t.Fatalf("%s has no %q", file, before)
	}
	at := 0
	for at < len(text) && at < len(changed) && text[at] == changed[at] {
		at++
	}
	edited = maps.Clone(files)
	edited[file] = &fstest.MapFile{Data: []byte(changed)}
	return edited, 1 + strings.Count(text[:at], "\n")
}
