package artefact_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/artefact"
)

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		data map[string]string
		want []artefact.AuthServer
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
		"a bad one beside a decent": {data: map[string]string{"runconfig.json": "{", "authserver-config.yaml": ""}, err: "runconfig.json", want: []artefact.AuthServer{{Key: "authserver-config.yaml", Effective: defaults, Default: true}}},
		"defaults": {
			data: map[string]string{"runconfig.json": `{"embedded_auth_server_config":{"baseline_client_scopes":["openid","admin"],"scopes_supported":[]}}`},
			want: []artefact.AuthServer{{Key: "runconfig.json", Baseline: []string{"openid", "admin"}, Effective: defaults, Default: true, Missing: []string{"admin"}}},
		},
		"escapes": {
			data: map[string]string{"runconfig.json": `{"embedded_auth_server_config":{"baseline_client_scopes":["\u0061dmin"],"scopes_supported":["admin"]}}`},
			want: []artefact.AuthServer{{Key: "runconfig.json", Baseline: []string{"admin"}, Effective: []string{"admin"}}},
		},
		"names in capitals, as the proxy reads them": {
			data: map[string]string{"runconfig.json": `{"Embedded_Auth_Server_Config":{"BASELINE_CLIENT_SCOPES":["admin"]}}`},
			want: []artefact.AuthServer{{Key: "runconfig.json", Baseline: []string{"admin"}, Effective: defaults, Default: true, Missing: []string{"admin"}}},
		},
		"YAML in blocks": {
			data: map[string]string{"authserver-config.yaml": "scopes_supported:\n- |-\n    a\n    - admin\n- b\nbaseline_client_scopes:\n    - admin\n    - b\n"},
			want: []artefact.AuthServer{{Key: "authserver-config.yaml", Baseline: []string{"admin", "b"}, Effective: []string{"a\n- admin", "b"}, Missing: []string{"admin"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := artefact.Read(c.data)
			if (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("auth servers (-want +got):\n%s", diff)
			}
		})
	}
}

var defaults = []string{"openid", "profile", "email", "offline_access"}
