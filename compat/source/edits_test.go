package source

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// edits change each fact once, in the newest release.
var edits = map[string]struct{ old, new string }{
	"the auth server's section of a run config":                          {"json:\"embedded_auth_server_config,omitempty\" yaml", "json:\"auth_server_config,omitempty\" yaml"},
	"the effective scopes of a run config":                               {"`json:\"scopes_supported,omitempty\" yaml:\"scopes_supported,omitempty\"`", "`json:\"scopes_supported,omitempty\" yaml:\"scopes,omitempty\"`"},
	"the baseline of a run config":                                       {"BaselineClientScopes []string `json", "BaselineClientScopes Scopes `json"},
	"the schema version of a proxy's run config":                         {`const CurrentSchemaVersion = "v0.1.0"`, `const CurrentSchemaVersion = "v0.2.0"`},
	"the schema version of an auth server's run config":                  {`const CurrentSchemaVersion = "v0.1.0"`, `const CurrentSchemaVersion = "v0.2.0"`},
	"the encoding of an MCPServer's run config":                          {`json.MarshalIndent(runConfig, "", "  ")`, `json.MarshalIndent(runConfig, "", " ")`},
	"the JSON encoder of an MCPServer's run config":                      {`"encoding/json"`, `"encoding/json/v2"`},
	"the encoding of an MCPRemoteProxy's run config":                     {`json.MarshalIndent(runConfig, "", "  ")`, `json.Marshal(runConfig)`},
	"the JSON encoder of an MCPRemoteProxy's run config":                 {`"encoding/json"`, `json "github.com/goccy/go-json"`},
	"the encoding of a VirtualMCPServer's run config":                    {"yaml.Marshal(authServerRC)", "yaml.Marshal(&authServerRC)"},
	"the YAML encoder of a VirtualMCPServer's run config":                {`"go.yaml.in/yaml/v3"`, `"go.yaml.in/yaml/v4"`},
	"the ConfigMap's key of an MCPServer's run config":                   {`"runconfig.json": string(runConfigJSON)`, `"config.json": string(runConfigJSON)`},
	"the ConfigMap's key of an MCPRemoteProxy's run config":              {`"runconfig.json": string(runConfigJSON)`, `"runconfig.json": compress(runConfigJSON)`},
	"the ConfigMap's key of a VirtualMCPServer's run config":             {`configMapData["authserver-config.yaml"]`, `configMapData["authserver.yaml"]`},
	"the label of an MCPServer's run config":                             {`"toolhive.stacklok.io/component":  "run-config"`, `"toolhive.stacklok.io/component":  "runconfig"`},
	"the label of an MCPRemoteProxy's run config":                        {`"toolhive.stacklok.io/component":        "run-config"`, `"toolhive.stacklok.dev/component":        "run-config"`},
	"the label of a VirtualMCPServer's run config":                       {`"toolhive.stacklok.io/component":          "vmcp-config"`, `"toolhive.stacklok.io/component":          "run-config"`},
	"the annotation with the checksum of a run config":                   {`"toolhive.stacklok.dev/content-checksum"`, `"toolhive.stacklok.dev/checksum"`},
	"the annotation of pods with that checksum":                          {`"toolhive.stacklok.dev/runconfig-checksum"`, `"toolhive.stacklok.dev/checksum"`},
	"the checksum that rolls the pods of an MCPServer or MCPRemoteProxy": {"configMap.Annotations[ContentChecksumAnnotation]", "configMap.Annotations[RunConfigChecksumAnnotation]"},
	"the checksum that rolls the pods of a VirtualMCPServer":             {"configMap.Annotations[checksum.ContentChecksumAnnotation]", "configMap.Labels[checksum.ContentChecksumAnnotation]"},
	"the default scopes":                                                 {`"openid", "profile", "email", "offline_access"}`, `"openid", "profile", "offline_access"}`},
	"the scopes of a reference to an inline MCPOIDCConfig":               {"Scopes:                          ref.Scopes", "Scopes:                          config.Scopes"},
	"the scopes of a reference to a service account's MCPOIDCConfig":     {"Scopes:   ref.Scopes", "Scopes:   withDefaults(ref.Scopes)"},
	"the effective scopes of an authServerRef":                           {"EmbeddedAuthServerConfigSourceAuthServerRef, err)\n\t}\n\n\t// Build the embedded auth server config for runner\n\tembeddedConfig, err := BuildAuthServerRunConfig(\n\t\tnamespace, mcpServerName, authServerConfig,\n\t\t[]string{oidcConfig.ResourceURL}, oidcConfig.Scopes,", "EmbeddedAuthServerConfigSourceAuthServerRef, err)\n\t}\n\n\t// Build the embedded auth server config for runner\n\tembeddedConfig, err := BuildAuthServerRunConfig(\n\t\tnamespace, mcpServerName, authServerConfig,\n\t\t[]string{oidcConfig.ResourceURL}, authServerConfig.ScopesSupported,"},
	"the effective scopes of an externalAuthConfigRef":                   {"EmbeddedAuthServerConfigSourceExternalAuthConfigRef, err)\n\t}\n\n\t// Build the embedded auth server config for runner\n\tembeddedConfig, err := BuildAuthServerRunConfig(\n\t\tnamespace, mcpServerName, authServerConfig,\n\t\t[]string{oidcConfig.ResourceURL}, oidcConfig.Scopes,", "EmbeddedAuthServerConfigSourceExternalAuthConfigRef, err)\n\t}\n\n\t// Build the embedded auth server config for runner\n\tembeddedConfig, err := BuildAuthServerRunConfig(\n\t\tnamespace, mcpServerName, authServerConfig,\n\t\t[]string{oidcConfig.ResourceURL}, nil,"},
	"the effective scopes of a VirtualMCPServer":                         {"\t\tderiveScopesSupported(config),", "\t\tvmcp.Spec.AuthServerConfig.ScopesSupported,"},
	"the scopes of a VirtualMCPServer":                                   {"return config.IncomingAuth.OIDC.Scopes\n", "return append(config.IncomingAuth.OIDC.Scopes, \"openid\")\n"},
	"the effective scopes that the operator renders":                     {"ScopesSupported:              scopesSupported,", "ScopesSupported:              authConfig.ScopesSupported,"},
	"the baseline that the operator renders":                             {"BaselineClientScopes:         authConfig.BaselineClientScopes,", "BaselineClientScopes:         supported(authConfig.BaselineClientScopes),"},
	"the validation at the start of an auth server":                      {"if err := cfg.Validate(); err", "if err := cfg.Parse(); err"},
	"the validation of a run config":                                     {"\treturn c.validateBaselineClientScopes()\n}\n\n", "\treturn nil\n}\n\n"},
	"the validation of the baseline":                                     {"effective = registration.DefaultScopes\n\t}\n\treturn registration.ValidateScopeSubset", "effective = registration.OpenIDScopes\n\t}\n\treturn registration.ValidateScopeSubset"},
	"the subset test of the baseline":                                    {"if !supported[s] {", "if !supported[strings.ToLower(s)] {"},
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

// TestPlacesEdits does the same for places that write run configs.
func TestPlacesEdits(t *testing.T) {
	files := load(t, release.Newest)
	for name, edit := range map[string]struct{ file, text, want string }{
		"another writer": {controllers + "new.go", "package controllers\n\nconst key = \"runconfig.json\"\n",
			`cmd/thv-operator/controllers/new.go:3: "runconfig.json" stands here too`},
		"another labeller": {"cmd/thv-operator/pkg/new/new.go", "package new\n\nvar labels = map[string]string{\"toolhive.stacklok.io/component\": \"run-config\"}\n",
			`cmd/thv-operator/pkg/new/new.go:3: "toolhive.stacklok.io/component" stands here too`},
		"an encoder of its own": {"pkg/authserver/json.go", "package authserver\n\nfunc (c *RunConfig) MarshalJSON() ([]byte, error) { return nil, nil }\n",
			`pkg/authserver/json.go:3: RunConfig has a method MarshalJSON`},
	} {
		t.Run(name, func(t *testing.T) {
			edited := maps.Clone(files)
			edited[edit.file] = &fstest.MapFile{Data: []byte(edit.text)}
			differences, err := comparePlaces(edited)
			expect.NoError(t, err)
			if len(differences) != 1 || !strings.HasPrefix(differences[0], edit.want) {
				t.Errorf("got %q\nwant one with %q", differences, edit.want)
			}
		})
	}
}

func load(t *testing.T, r release.Release) fstest.MapFS {
	t.Helper()
	files, loaded := r.Files(t), fstest.MapFS{}
	for _, folder := range []string{"cmd/thv-operator", "pkg/authserver", "pkg/runner"} {
		err := walk(files, folder, func(file string, text []byte) error {
			loaded[file] = &fstest.MapFile{Data: text}
			return nil
		})
		expect.NoError(t, err)
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
