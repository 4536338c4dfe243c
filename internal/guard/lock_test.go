package guard_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/test/guard/lockeval"
)

func TestTry(t *testing.T) {
	e, err := lockeval.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	type section struct {
		SchemaVersion string   `json:"schema_version"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		Baseline      []string `json:"baseline_client_scopes,omitempty"`
		Aud           []string `json:"allowed_audiences"`
	}
	type rc struct {
		SchemaVersion string         `json:"schema_version"`
		Authz         map[string]any `json:"authz_config,omitempty"`
		Section       *section       `json:"embedded_auth_server_config,omitempty"`
	}
	for _, r := range []rc{
		{"v0.1.0", nil, &section{"v0.1.0", []string{"a"}, []string{"a", "b"}, nil}},
		{"v0.1.0", nil, &section{"v0.1.0", nil, []string{"openid", "b"}, nil}},
		{"v0.1.0", map[string]any{"embedded_auth_server_config": map[string]any{"baseline_client_scopes": []string{"x"}}}, &section{"v0.1.0", nil, []string{"openid"}, nil}},
		{"v0.1.0", map[string]any{"embedded_auth_server_config": strings.Repeat("é", 400000)}, &section{"v0.1.0", nil, []string{"openid"}, nil}},
		{"v0.1.0", map[string]any{"x": strings.Repeat("é", 400000)}, &section{"v0.1.0", nil, []string{"openid", "bad"}, nil}},
	} {
		b, _ := json.MarshalIndent(r, "", "  ")
		o, err := e.Evaluate(t.Context(), lockeval.ConfigMap(map[string]string{"runconfig.json": string(b)}), lockeval.Parameters(map[string]string{"mode": "deny"}), nil)
		t.Logf("%d %+v %v", len(b), o, err)
	}
	for _, y := range []string{"schema_version: v0.1.0\nbaseline_client_scopes:\n    - a\n    - |-\n      x\n      y\nscopes_supported:\n    - |-\n      x\n      y\n    - b\n"} {
		o, err := e.Evaluate(t.Context(), lockeval.ConfigMap(map[string]string{"authserver-config.yaml": y}), lockeval.Parameters(map[string]string{"mode": "deny"}), nil)
		t.Logf("%d %+v %v", len(y), o, err)
	}
}
