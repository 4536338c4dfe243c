package evaluator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/evaluator"
)

func newEvaluator(t testing.TB) *evaluator.Evaluator {
	t.Helper()
	e, err := evaluator.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Texts as ToolHive's encoders write them, but for what is not read. Each has the
// baseline openid and admin, and supports openid.
const (
	jsonText = `{
  "schema_version": "v0.1.0",
  "image": "example.com/image",
  "embedded_auth_server_config": {
    "schema_version": "v0.1.0",
    "scopes_supported": [
      "openid"
    ],
    "baseline_client_scopes": [
      "openid",
      "admin"
    ],
    "allowed_audiences": null
  },
  "port": 8080
}`
	yamlText = `schema_version: v0.1.0
issuer: https://auth.example.com
scopes_supported:
    - openid
baseline_client_scopes:
    - openid
    - admin
allowed_audiences: []
`
)

func replaced(text, old, new string) string {
	if !strings.Contains(text, old) {
		panic(fmt.Sprintf("no %q in %s", old, text))
	}
	return strings.Replace(text, old, new, 1)
}

// TestLayouts gives the policy texts in ToolHive's layout, which it rejects for the
// scope admin, and in others, which it lets through: it can't read them whole.
func TestLayouts(t *testing.T) {
	e := newEvaluator(t)
	for name, tc := range map[string]struct {
		key, text string
		// missing is the first missing scope, "" where the text is let through.
		missing string
	}{
		"JSON":                               {toolhive.RunConfigKey, jsonText, "admin"},
		"JSON, supported":                    {toolhive.RunConfigKey, replaced(jsonText, `"admin"`, `"openid"`), ""},
		"JSON, defaults":                     {toolhive.RunConfigKey, replaced(jsonText, "    \"scopes_supported\": [\n      \"openid\"\n    ],\n", ""), "admin"},
		"JSON, defaults by null":             {toolhive.RunConfigKey, replaced(jsonText, "[\n      \"openid\"\n    ]", "null"), "admin"},
		"JSON, baseline last":                {toolhive.RunConfigKey, replaced(jsonText, "],\n    \"allowed_audiences\": null", "]"), "admin"},
		"JSON, no auth server":               {toolhive.RunConfigKey, replaced(jsonText, "embedded_auth_server_config", "other"), ""},
		"JSON, an escape":                    {toolhive.RunConfigKey, replaced(jsonText, `"admin"`, `"a\u003cb"`), `a\u003cb`},
		"JSON, a list on one line":           {toolhive.RunConfigKey, replaced(jsonText, "[\n      \"openid\"\n    ]", `["openid", "admin"]`), ""},
		"JSON, entries on one line":          {toolhive.RunConfigKey, replaced(jsonText, "\"openid\"\n    ]", "\"openid\", \"admin\"\n    ]"), ""},
		"JSON, an empty list":                {toolhive.RunConfigKey, replaced(jsonText, "[\n      \"openid\"\n    ]", "[]"), ""},
		"JSON, entries indented otherwise":   {toolhive.RunConfigKey, replaced(jsonText, "      \"openid\"\n    ]", "        \"openid\"\n    ]"), ""},
		"JSON, end of a list otherwise":      {toolhive.RunConfigKey, replaced(jsonText, "\"openid\"\n    ]", "\"openid\"\n      ]"), ""},
		"JSON, a key indented otherwise":     {toolhive.RunConfigKey, replaced(jsonText, "    \"scopes_supported\"", "      \"scopes_supported\""), ""},
		"JSON, another spelling of a key":    {toolhive.RunConfigKey, replaced(jsonText, "scopes_supported", "Scopes_Supported"), ""},
		"JSON, another spelling of an s":     {toolhive.RunConfigKey, replaced(jsonText, "scopes_supported", "scopes_ſupported"), ""},
		"JSON, no space after the colon":     {toolhive.RunConfigKey, replaced(jsonText, `scopes_supported": [`, `scopes_supported":[`), ""},
		"JSON, compact":                      {toolhive.RunConfigKey, strings.NewReplacer("\n", "", "  ", "").Replace(jsonText), ""},
		"JSON, four spaces":                  {toolhive.RunConfigKey, strings.ReplaceAll(jsonText, "  ", "    "), ""},
		"JSON, lines that end with \\r\\n":   {toolhive.RunConfigKey, strings.ReplaceAll(jsonText, "\n", "\r\n"), ""},
		"JSON, white space in a scope":       {toolhive.RunConfigKey, replaced(jsonText, `"openid"`+"\n", `"a b"`+"\n"), ""},
		"JSON, a line break in a scope":      {toolhive.RunConfigKey, replaced(jsonText, `"openid"`+"\n", `"a\nb"`+"\n"), "openid"},
		"JSON under the key of YAML":         {toolhive.AuthServerConfigKey, jsonText, ""},
		"YAML":                               {toolhive.AuthServerConfigKey, yamlText, "admin"},
		"YAML, supported":                    {toolhive.AuthServerConfigKey, replaced(yamlText, "admin", "openid"), ""},
		"YAML, defaults":                     {toolhive.AuthServerConfigKey, replaced(yamlText, "scopes_supported:\n    - openid\n", ""), "admin"},
		"YAML, baseline first":               {toolhive.AuthServerConfigKey, "baseline_client_scopes:\n    - admin\n" + replaced(yamlText, "baseline_client_scopes:\n    - openid\n    - admin\n", ""), "admin"},
		"YAML, baseline last":                {toolhive.AuthServerConfigKey, replaced(yamlText, "allowed_audiences: []\n", ""), "admin"},
		"YAML, no line break at the end":     {toolhive.AuthServerConfigKey, strings.TrimSpace(replaced(yamlText, "allowed_audiences: []\n", "")), "admin"},
		"YAML, quotes that are needed":       {toolhive.AuthServerConfigKey, replaced(yamlText, "- admin", "- \"null\""), "null"},
		"YAML, quotes by hand":               {toolhive.AuthServerConfigKey, replaced(replaced(yamlText, "- openid", "- \"openid\""), "- admin", "- 'openid'"), ""},
		"YAML, a list on one line":           {toolhive.AuthServerConfigKey, replaced(yamlText, "scopes_supported:\n    - openid", "scopes_supported: [openid, admin]"), ""},
		"YAML, entries not indented":         {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "- openid\n- admin\nbase"), ""},
		"YAML, entries indented otherwise":   {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "  - openid\n  - admin\nbase"), ""},
		"YAML, entries indented in two ways": {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "    - openid\n      admin\nbase"), ""},
		"YAML, a block scalar":               {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "    - |-\n        openid\n    - admin\nbase"), ""},
		"YAML, a folded scalar":              {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "    - >-\n        admin\nbase"), ""},
		"YAML, a comment after an entry":     {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "    - admin # comment\nbase"), ""},
		"YAML, a comment among entries":      {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "    - openid\n# comment\n    - admin\nbase"), ""},
		"YAML, an anchor":                    {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "    - &a admin\nbase"), ""},
		"YAML, an alias":                     {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "    - *a\nbase"), ""},
		"YAML, a tag":                        {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "    - !!str\nbase"), ""},
		"YAML, a quoted key":                 {toolhive.AuthServerConfigKey, replaced(yamlText, "scopes_supported:", "\"scopes_supported\":"), ""},
		"YAML, a space before the colon":     {toolhive.AuthServerConfigKey, replaced(yamlText, "scopes_supported:", "scopes_supported :"), ""},
		"YAML, an empty line in a list":      {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "    - openid\n\n    - admin\nbase"), ""},
		"YAML, lines that end with \\r\\n":   {toolhive.AuthServerConfigKey, strings.ReplaceAll(yamlText, "\n", "\r\n"), ""},
		"YAML, white space in a scope":       {toolhive.AuthServerConfigKey, replaced(yamlText, "    - openid\nbase", "    - a b\nbase"), ""},
		"YAML, all on one line":              {toolhive.AuthServerConfigKey, "{scopes_supported: [openid], baseline_client_scopes: [admin]}", ""},
		"YAML under the key of JSON":         {toolhive.RunConfigKey, yamlText, ""},
		"another key":                        {"config.yaml", yamlText, ""},
		"nothing":                            {toolhive.AuthServerConfigKey, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			object := evaluator.ConfigMap(map[string]string{tc.key: tc.text})
			created, err := e.Evaluate(t.Context(), object, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if tc.missing != "" {
				want = fmt.Sprintf(`scope "%s" of baseline_client_scopes in ConfigMap "web-runconfig" is not supported by the auth server of MCPServer "web": `+
					"add it to the scopes of its oidcConfigRef, or remove it from baselineClientScopes", tc.missing)
			}
			if diff := cmp.Diff(want, strings.Replace(created.Message, " (and 1 more)", "", 1)); diff != "" || created.Admitted != (want == "") {
				t.Errorf("created, admitted: %t (-want +got):\n%s", created.Admitted, diff)
			}
			for name, old := range map[string]map[string]string{"no data": nil, "no auth server": {toolhive.RunConfigKey: "{}"}, "the same": {tc.key: tc.text}} {
				updated, err := e.Evaluate(t.Context(), object, evaluator.ConfigMap(old))
				if err != nil {
					t.Fatal(err)
				}
				if held := tc.missing != "" && name != "the same"; updated.Held() != held {
					t.Errorf("updated from %s, held: %t, want %t", name, updated.Held(), held)
				}
			}
			// An old text that is not read whole may be bad: nothing is called held.
			bad := evaluator.ConfigMap(map[string]string{toolhive.AuthServerConfigKey: yamlText})
			updated, err := e.Evaluate(t.Context(), bad, object)
			if err != nil {
				t.Fatal(err)
			}
			if updated.Held() && (!updated.Whole || tc.missing != "") {
				t.Errorf("a bad text is held over it: %+v", updated)
			}
		})
	}
}
