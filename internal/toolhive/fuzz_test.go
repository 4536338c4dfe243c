package toolhive_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/toolhive"
)

// FuzzAuthServers decodes arbitrary run configs.
func FuzzAuthServers(f *testing.F) {
	f.Add("{\n  \"embedded_auth_server_config\": {\n    \"scopes_supported\": [\n      \"a\"\n    ],\n    \"baseline_client_scopes\": [\n      \"x\\u003cy\"\n    ]\n  }\n}",
		"issuer: x\nscopes_supported:\n    - a\nbaseline_client_scopes:\n    - \"null\"\n")
	f.Add(`{"Embedded_Auth_Server_Config":{"BASELINE_CLIENT_SCOPES":["admin"]}}`, "baseline_client_scopes: &a [x, y]\nscopes_supported: *a\n")
	f.Add(`{"embedded_auth_server_config":null}`, "a: b: c")
	f.Fuzz(func(t *testing.T, runConfig, authServerConfig string) {
		data := map[string]string{toolhive.RunConfigKey: runConfig, toolhive.AuthServerConfigKey: authServerConfig}
		servers, err := toolhive.AuthServers(data, defaults)
		// Every decodable file of the second key is an auth server.
		if len(servers) > 2 || len(servers) == 0 && err == nil {
			t.Errorf("%d auth servers, error %v", len(servers), err)
		}
		for _, server := range servers {
			for _, scope := range server.Baseline {
				if slices.Contains(server.Effective, scope) == slices.Contains(server.Missing, scope) {
					t.Errorf("%q must be in exactly one of effective %q and missing %q", scope, server.Effective, server.Missing)
				}
			}
			if server.InLayout && slices.ContainsFunc(server.Baseline, func(scope string) bool { return strings.ContainsAny(scope, " \t\r\n\"") }) {
				t.Errorf("the policies can't read %q", server.Baseline)
			}
		}
	})
}
