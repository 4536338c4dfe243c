package evaluator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/evaluator"
)

// Texts as ToolHive's encoders write them, except for the parts that the policy
// does not read. Each has the baseline openid and admin, and supports openid.
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

// layout is a text under a key, and the first scope that the policy finds missing in
// it, or "" where it lets the text through.
type layout struct{ key, text, missing string }

// layouts are texts in ToolHive's layout, which the policy rejects for the scope
// admin, and in others, which it lets through: it can't read them whole.
var layouts = map[string]layout{
	"JSON":                               {toolhive.RunConfigKey, jsonText, "admin"},
	"JSON, supported":                    {toolhive.RunConfigKey, replaced(jsonText, `"admin"`, `"openid"`), ""},
	"JSON, defaults":                     {toolhive.RunConfigKey, replaced(jsonText, "    \"scopes_supported\": [\n      \"openid\"\n    ],\n", ""), "admin"},
	"JSON, defaults by null":             {toolhive.RunConfigKey, replaced(jsonText, "[\n      \"openid\"\n    ]", "null"), "admin"},
	"JSON, baseline last":                {toolhive.RunConfigKey, replaced(jsonText, "],\n    \"allowed_audiences\": null", "]"), "admin"},
	"JSON, the list of a later section":  {toolhive.RunConfigKey, replaced(replaced(jsonText, "    \"scopes_supported\": [\n      \"openid\"\n    ],\n", ""), "  \"port\"", "  \"other\": {\n    \"scopes_supported\": [\n      \"admin\"\n    ]\n  },\n  \"port\""), "admin"},
	"JSON, the list of a deeper object":  {toolhive.RunConfigKey, replaced(jsonText, "    \"scopes_supported\": [\n", "    \"other\": {\n      \"scopes_supported\": [\n      \"admin\"\n    ]\n    },\n    \"scopes_supported\": [\n"), "admin"},
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
}

// compare returns how the results of the policy on a layout differ from the
// expected ones.
func (l layout) compare(t *testing.T, e *evaluator.Evaluator) (differences []string) {
	t.Helper()
	evaluate := func(object, old map[string]string) evaluator.Outcome {
		t.Helper()
		var before *corev1.ConfigMap
		if old != nil {
			before = evaluator.ConfigMap(old)
		}
		outcome, err := e.Evaluate(t.Context(), evaluator.ConfigMap(object), before)
		if err != nil {
			differences = append(differences, err.Error())
		}
		return outcome
	}
	text, want := map[string]string{l.key: l.text}, ""
	if l.missing != "" {
		want = fmt.Sprintf(`scope "%s" of baseline_client_scopes in ConfigMap "web-runconfig" is not supported by the auth server of MCPServer "web": `+
			"add it to the scopes of its oidcConfigRef, or remove it from baselineClientScopes", l.missing)
	}
	created := evaluate(text, nil)
	if got := strings.Replace(created.Message, " (and 1 more)", "", 1); got != want || created.Admitted != (want == "") {
		differences = append(differences, fmt.Sprintf("created, admitted: %t, message %q, want %q", created.Admitted, got, want))
	}
	for old, data := range map[string]map[string]string{"nothing": {}, "no auth server": {toolhive.RunConfigKey: "{}"}, "the same": text} {
		if held := l.missing != "" && old != "the same"; len(differences) == 0 && evaluate(text, data).Held() != held {
			differences = append(differences, fmt.Sprintf("written over %s, held: %t", old, !held))
		}
	}
	// A bad text is held over a good one in ToolHive's layout, and over no bad one.
	servers, err := toolhive.AuthServers(text, toolhive.DefaultScopes)
	good := err == nil && !slices.ContainsFunc(servers, func(s toolhive.AuthServer) bool { return !s.InLayout || len(s.Missing) > 0 })
	held := evaluate(map[string]string{toolhive.AuthServerConfigKey: yamlText}, text).Held()
	if len(differences) == 0 && (good && !held || l.missing != "" && held) {
		differences = append(differences, fmt.Sprintf("a bad text written over it, held: %t", held))
	}
	return differences
}

func TestLayouts(t *testing.T) {
	e := evaluator.New(t, nil)
	for name, layout := range layouts {
		t.Run(name, func(t *testing.T) {
			for _, difference := range layout.compare(t, e) {
				t.Error(difference)
			}
		})
	}
}

// TestMutants breaks the expressions that read the texts. Some layout must find
// each mutant. compat/runconfigs has the mutants that ToolHive's own texts
// find.
func TestMutants(t *testing.T) {
	for name, m := range map[string]struct{ variable, old, new string }{
		"a section never ends":                {"sections", `.split('\n  }', 2)[0]`, ``},
		"a file starts before its first line": {"files", `'\n' +`, `'' +`},
		"a list may stand deeper":             {"jsonLists", `'\n    "' + key`, `'"' + key`},
		"quotes are part of a scope":          {"yamlLists", `'^["\'].*["\']$'`, `'^x$'`},
		"quotes are dropped at one end":       {"yamlLists", "substring(1, size(word) - 1)", "substring(1)"},
		"a list may end a file":               {"whole", `|\n?$)`, `)`},
		"any spelling of a key is read":       {"whole", `'(?i)\n *"'`, `'\n *"'`},
		"any indentation of a key is read":    {"whole", `'(?i)\n *"'`, `'(?i)\n    "'`},
		"any JSON is read":                    {"whole", `!text.matches('(?i)`, `true || !text.matches('(?i)`},
		"any YAML is read":                    {"whole", `!text.matches('\n["\']?'`, `true || !text.matches('\n["\']?'`},
		"quoted keys are read":                {"whole", `'\n["\']?' + key + '["\']? *:'`, `'\n' + key + ':'`},
		"white space in a scope is read":      {"whole", `"[^"\\s]+"`, `"[^"]+"`},
		"comments are read":                   {"whole", `(\n[^\\s#]|`, `(\n[^\\s]|`},
		"block scalars are read":              {"whole", `[^\\s#|>&*!{\\[]`, `[^\\s]`},
		"only the new text has to be read":    {"whole", `variables.files.all(text,`, `variables.files.exists(text,`},
	} {
		t.Run(name, func(t *testing.T) {
			e := evaluator.Mutant(t, m.variable, m.old, m.new)
			for _, layout := range layouts {
				if len(layout.compare(t, e)) > 0 {
					return
				}
			}
			t.Error("no layout finds it")
		})
	}
}

// scopeLines returns lines of scopes, in total about the given number of bytes.
func scopeLines(format string, bytes int) string {
	var text strings.Builder
	for i := 0; text.Len() < bytes; i++ {
		fmt.Fprintf(&text, format, i)
	}
	return text.String()
}

// TestCosts measures the cost of the policy as a share of the API server's limit: on
// a run config of 5 KB, on the largest lists that the policy reads, and on run
// configs as large as a ConfigMap can be.
func TestCosts(t *testing.T) {
	const typical, lists, largest = 5_000, 99_000, 900_000
	e := evaluator.New(t, nil)
	jsonScopes := func(bytes int) string {
		return replaced(jsonText, "      \"openid\"\n    ]", scopeLines("      \"scope-%d\",\n", bytes)+"      \"openid\"\n    ]")
	}
	yamlScopes := func(bytes int) string {
		return replaced(yamlText, "    - openid\nbase", scopeLines("    - scope-%d\n", bytes)+"    - openid\nbase")
	}
	for name, tc := range map[string]struct {
		key, text string
		// most is the maximum share. read is true if the policy reads the text.
		most float64
		read bool
	}{
		"JSON, 5 KB":                 {toolhive.RunConfigKey, replaced(jsonText, "example.com/image", strings.Repeat("x", typical)), 0.01, true},
		"YAML, 5 KB":                 {toolhive.AuthServerConfigKey, yamlText + "other: " + strings.Repeat("x", typical), 0.02, true},
		"JSON, 900 KB":               {toolhive.RunConfigKey, replaced(jsonText, "example.com/image", strings.Repeat("x", largest)), 0.2, true},
		"JSON, 900 KB in many lines": {toolhive.RunConfigKey, replaced(jsonText, `"example.com/image"`, "[\n"+scopeLines("    \"scope-%d\",\n", largest)+"    \"x\"\n  ]"), 0.2, true},
		"JSON, 99 KB of scopes":      {toolhive.RunConfigKey, jsonScopes(lists), 0.4, true},
		"YAML, 99 KB of scopes":      {toolhive.AuthServerConfigKey, yamlScopes(lists), 0.4, true},
		"YAML, 99 KB":                {toolhive.AuthServerConfigKey, yamlText + "other: " + strings.Repeat("x", lists), 0.4, true},
		"JSON, 900 KB of scopes":     {toolhive.RunConfigKey, jsonScopes(largest), 0.2, false},
		"YAML, 900 KB of scopes":     {toolhive.AuthServerConfigKey, yamlScopes(largest), 0.2, false},
		"YAML, 900 KB":               {toolhive.AuthServerConfigKey, yamlText + "other: " + strings.Repeat("x", largest), 0.2, false},
	} {
		t.Run(name, func(t *testing.T) {
			object := evaluator.ConfigMap(map[string]string{tc.key: tc.text})
			outcome, err := e.Evaluate(t.Context(), object, nil)
			share := float64(outcome.Cost) / evaluator.Budget
			t.Logf("%d bytes: cost %d, %.4f of the limit", len(tc.text), outcome.Cost, share)
			if err != nil || outcome.Admitted == tc.read || share > tc.most {
				t.Errorf("cost %d is %.3f of the limit, want at most %.3f; admitted: %t; %v", outcome.Cost, share, tc.most, outcome.Admitted, err)
			}
			// An update reads two texts.
			if _, err := e.Evaluate(t.Context(), object, object); err != nil {
				t.Error(err)
			}
		})
	}
}
