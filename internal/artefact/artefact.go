// Package artefact reads the run configs of auth servers that ToolHive's operator
// derives and stores in ConfigMaps, as the processes that run from them do, and
// tells which scopes of their baselines these would refuse.
package artefact

import (
	"encoding/json"
	"errors"
	"fmt"

	yaml "go.yaml.in/yaml/v3"

	"github.com/scopegate/scopegate/internal/scopes"
)

// The keys of ConfigMaps that hold run configs.
const (
	// RunConfigKey is that of an MCPServer and of an MCPRemoteProxy: a run config
	// of the proxy, with that of the auth server as a section.
	RunConfigKey = "runconfig.json"
	// AuthServerConfigKey is that of a VirtualMCPServer: the run config of the auth
	// server itself.
	AuthServerConfigKey = "authserver-config.yaml"
)

// AuthServer is what a stored run config tells an auth server about its scopes.
type AuthServer struct {
	// Key of the ConfigMap that holds it.
	Key string
	// Baseline is baseline_client_scopes.
	Baseline []string
	// Effective are the effective scopes, and Default tells that they are the auth
	// server's own since scopes_supported is empty.
	Effective []string
	Default   bool
	// Missing are the scopes of the baseline that the auth server refuses to start
	// for.
	Missing []string
}

// section is the part of a run config that is read. Both decoders ignore what
// they do not know, as ToolHive's do.
type section struct {
	ScopesSupported      []string `json:"scopes_supported" yaml:"scopes_supported"`
	BaselineClientScopes []string `json:"baseline_client_scopes" yaml:"baseline_client_scopes"`
}

// Read returns the auth servers that the data of a ConfigMap configures, of which
// ToolHive writes one at most. An error tells of the keys that can't be decoded.
func Read(data map[string]string) ([]AuthServer, error) {
	var found []AuthServer
	var errs []error
	if text, ok := data[RunConfigKey]; ok {
		config := struct {
			AuthServer *section `json:"embedded_auth_server_config"`
		}{}
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			errs = append(errs, fmt.Errorf("decoding %s: %w", RunConfigKey, err))
		} else if config.AuthServer != nil {
			found = append(found, judge(RunConfigKey, *config.AuthServer))
		}
	}
	if text, ok := data[AuthServerConfigKey]; ok {
		config := section{}
		if err := yaml.Unmarshal([]byte(text), &config); err != nil {
			errs = append(errs, fmt.Errorf("decoding %s: %w", AuthServerConfigKey, err))
		} else {
			found = append(found, judge(AuthServerConfigKey, config))
		}
	}
	return found, errors.Join(errs...)
}

func judge(key string, config section) AuthServer {
	effective, source := scopes.Effective(config.ScopesSupported, nil)
	return AuthServer{
		Key: key, Baseline: config.BaselineClientScopes, Effective: effective, Default: source == scopes.FromDefaults,
		Missing: scopes.Missing(config.BaselineClientScopes, effective),
	}
}
