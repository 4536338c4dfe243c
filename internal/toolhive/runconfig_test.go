package toolhive_test

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
)

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		data map[string]string
		want []toolhive.AuthServer
		err  string
	}{
		"no run config":             {data: map[string]string{"config.yaml": "baseline_client_scopes: [admin]"}},
		"a proxy without":           {data: map[string]string{"runconfig.json": `{"image":"a"}`}},
		"a proxy with null":         {data: map[string]string{"runconfig.json": `{"embedded_auth_server_config":null}`}},
		"planted in another place":  {data: map[string]string{"runconfig.json": `{"authz_config":{"embedded_auth_server_config":{"baseline_client_scopes":["admin"]}}}`}},
		"planted in a string":       {data: map[string]string{"runconfig.json": `{"image":"\"embedded_auth_server_config\":{\"baseline_client_scopes\":[\"admin\"]}"}`}},
		"not JSON":                  {data: map[string]string{"runconfig.json": "{"}, err: "decoding runconfig.json"},
		"a list that is none":       {data: map[string]string{"runconfig.json": `{"embedded_auth_server_config":{"baseline_client_scopes":"admin"}}`}, err: "decoding runconfig.json"},
		"not YAML":                  {data: map[string]string{"authserver-config.yaml": "a: b: c"}, err: "decoding authserver-config.yaml"},
		"a bad one beside a decent": {data: map[string]string{"runconfig.json": "{", "authserver-config.yaml": ""}, err: "runconfig.json", want: []toolhive.AuthServer{{Key: "authserver-config.yaml", Effective: defaults, Default: true, InLayout: true}}},
		"defaults": {
			data: map[string]string{"runconfig.json": `{"embedded_auth_server_config":{"baseline_client_scopes":["openid","admin"],"scopes_supported":[]}}`},
			want: []toolhive.AuthServer{{Key: "runconfig.json", Baseline: []string{"openid", "admin"}, Effective: defaults, Default: true, Missing: []string{"admin"}}},
		},
		"escapes": {
			data: map[string]string{"runconfig.json": `{"embedded_auth_server_config":{"baseline_client_scopes":["\u0061dmin"],"scopes_supported":["admin"]}}`},
			want: []toolhive.AuthServer{{Key: "runconfig.json", Baseline: []string{"admin"}, Effective: []string{"admin"}}},
		},
		"names in capitals, as the proxy reads them": {
			data: map[string]string{"runconfig.json": `{"Embedded_Auth_Server_Config":{"BASELINE_CLIENT_SCOPES":["admin"]}}`},
			want: []toolhive.AuthServer{{Key: "runconfig.json", Baseline: []string{"admin"}, Effective: defaults, Default: true, Missing: []string{"admin"}}},
		},
		"YAML in blocks": {
			data: map[string]string{"authserver-config.yaml": "scopes_supported:\n- |-\n    a\n    - admin\n- b\nbaseline_client_scopes:\n    - admin\n    - b\n"},
			want: []toolhive.AuthServer{{Key: "authserver-config.yaml", Baseline: []string{"admin", "b"}, Effective: []string{"a\n- admin", "b"}, Missing: []string{"admin"}}},
		},
		"JSON in ToolHive's layout": {
			data: map[string]string{"runconfig.json": "{\n  \"embedded_auth_server_config\": {\n    \"scopes_supported\": [\n      \"a\",\n      \"x\\u003cy\"\n    ],\n    \"baseline_client_scopes\": [\n      \"x\\u003cy\"\n    ]\n  }\n}"},
			want: []toolhive.AuthServer{{Key: "runconfig.json", Baseline: []string{"x<y"}, Effective: []string{"a", "x<y"}, InLayout: true}},
		},
		"YAML in ToolHive's layout": {
			data: map[string]string{"authserver-config.yaml": "issuer: x\nscopes_supported:\n    - a\n    - \"null\"\nbaseline_client_scopes:\n    - \"null\""},
			want: []toolhive.AuthServer{{Key: "authserver-config.yaml", Baseline: []string{"null"}, Effective: []string{"a", "null"}, InLayout: true}},
		},
		"one list in another layout": {
			data: map[string]string{"authserver-config.yaml": "scopes_supported: [a]\nbaseline_client_scopes:\n    - a\n"},
			want: []toolhive.AuthServer{{Key: "authserver-config.yaml", Baseline: []string{"a"}, Effective: []string{"a"}}},
		},
		"YAML of the longest text that policies read": {
			data: map[string]string{"authserver-config.yaml": yamlOf(100_000)},
			want: []toolhive.AuthServer{{Key: "authserver-config.yaml", Baseline: []string{"a"}, Effective: []string{"a"}, InLayout: true}},
		},
		"YAML of a longer text": {
			data: map[string]string{"authserver-config.yaml": yamlOf(100_001)},
			want: []toolhive.AuthServer{{Key: "authserver-config.yaml", Baseline: []string{"a"}, Effective: []string{"a"}}},
		},
		"JSON of a long text beside a short auth server": {
			data: map[string]string{"runconfig.json": jsonOf(10, 100_001)},
			want: []toolhive.AuthServer{{Key: "runconfig.json", Baseline: []string{"openid"}, Effective: defaults, Default: true, InLayout: true}},
		},
		"JSON of a long auth server": {
			data: map[string]string{"runconfig.json": jsonOf(100_001, 10)},
			want: []toolhive.AuthServer{{Key: "runconfig.json", Baseline: []string{"openid"}, Effective: defaults, Default: true}},
		},
		"a scope with white space": {
			data: map[string]string{"authserver-config.yaml": "scopes_supported:\n    - a b\nbaseline_client_scopes:\n    - a b\n"},
			want: []toolhive.AuthServer{{Key: "authserver-config.yaml", Baseline: []string{"a b"}, Effective: []string{"a b"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := toolhive.AuthServers(c.data, defaults)
			if (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
			expect.Equal(t, "auth servers", c.want, got)
		})
	}
}

var defaults = []string{"openid", "profile", "email", "offline_access"}

// yamlOf returns a run config with the given number of characters, most of which
// take two bytes.
func yamlOf(characters int) string {
	const text = "scopes_supported:\n    - a\nbaseline_client_scopes:\n    - a\nissuer: "
	return text + strings.Repeat("é", characters-len(text))
}

// jsonOf returns a run config with the given number of characters inside of the
// auth server's section and beside it.
func jsonOf(inside, beside int) string {
	return "{\n  \"embedded_auth_server_config\": {\n    \"baseline_client_scopes\": [\n      \"openid\"\n    ],\n    \"issuer\": \"" +
		strings.Repeat("x", inside) + "\"\n  },\n  \"name\": \"" + strings.Repeat("x", beside) + "\"\n}"
}
