package toolhive

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/scopegate/scopegate/internal/scopes"
)

// AuthServer has the scopes of an auth server in a stored run config.
type AuthServer struct {
	// Key is the key of the ConfigMap with the run config.
	Key string
	// Baseline is baseline_client_scopes.
	Baseline []string
	// Effective are the effective scopes. Default is true if they are the auth
	// server's defaults, because scopes_supported is empty.
	Effective []string
	Default   bool
	// Missing are the baseline scopes because of which the auth server refuses to
	// start.
	Missing []string
	// InLayout is true if the lists have the layout of ToolHive's encoders, so
	// that the guard's policies can read them.
	InLayout bool
}

// runConfig is the part of an auth server's run config that scopegate reads.
// ToolHive's decoders ignore unknown fields too.
type runConfig struct {
	ScopesSupported      []string `json:"scopes_supported" yaml:"scopes_supported"`
	BaselineClientScopes []string `json:"baseline_client_scopes" yaml:"baseline_client_scopes"`
}

// AuthServers decodes the data of a ConfigMap as the processes in the pods do,
// and returns its auth servers; ToolHive writes at most one. defaultScopes are
// the scopes that an auth server supports if none are configured. The error names
// the keys that can't be decoded.
func AuthServers(data map[string]string, defaultScopes []string) ([]AuthServer, error) {
	var found []AuthServer
	var errs []error
	if text, ok := data[RunConfigKey]; ok {
		proxy := struct {
			AuthServer *runConfig `json:"embedded_auth_server_config"`
		}{}
		if err := json.Unmarshal([]byte(text), &proxy); err != nil {
			errs = append(errs, fmt.Errorf("decoding %s: %w", RunConfigKey, err))
		} else if proxy.AuthServer != nil {
			found = append(found, validate(RunConfigKey, *proxy.AuthServer, defaultScopes, func(key string, list []string) bool {
				return readable(section(text)) && strings.Contains(text, jsonLines(key, list))
			}))
		}
	}
	if text, ok := data[AuthServerConfigKey]; ok {
		config := runConfig{}
		if err := yaml.Unmarshal([]byte(text), &config); err != nil {
			errs = append(errs, fmt.Errorf("decoding %s: %w", AuthServerConfigKey, err))
		} else {
			found = append(found, validate(AuthServerConfigKey, config, defaultScopes, func(key string, list []string) bool {
				return readable(text) && strings.Contains("\n"+text+"\n", yamlLines(key, list))
			}))
		}
	}
	return found, errors.Join(errs...)
}

func validate(key string, config runConfig, defaultScopes []string, inLayout func(key string, list []string) bool) AuthServer {
	effective, source := scopes.Effective(config.ScopesSupported, nil, defaultScopes)
	written := func(key string, list []string) bool {
		return len(list) == 0 || !slices.ContainsFunc(list, hasSpace) && inLayout(key, list)
	}
	return AuthServer{
		Key: key, Baseline: config.BaselineClientScopes, Effective: effective, Default: source == scopes.FromDefaults,
		Missing:  scopes.Missing(config.BaselineClientScopes, effective),
		InLayout: written(BaselineClientScopesKey, config.BaselineClientScopes) && written(ScopesSupportedKey, config.ScopesSupported),
	}
}

func hasSpace(scope string) bool { return scope == "" || strings.ContainsAny(scope, " \t\r\n\"") }

// maxCharacters is the maximum length of an auth server's text that the guard's
// policies read.
const maxCharacters = 100_000

func readable(text string) bool { return utf8.RuneCountInString(text) <= maxCharacters }

// section returns the text of the auth server in a run config, as written by
// json.MarshalIndent.
func section(text string) string {
	_, text, _ = strings.Cut(text, "\n  \""+AuthServerSection+"\": {\n")
	text, _, _ = strings.Cut(text, "\n  }")
	return text
}

// jsonLines returns the lines of a list in the auth server's section of a run
// config, as written by json.MarshalIndent.
func jsonLines(key string, list []string) string {
	text, err := json.MarshalIndent(list, "    ", "  ")
	if err != nil {
		panic(err) // Strings can always be encoded.
	}
	return fmt.Sprintf("\n    %q: %s", key, text)
}

// yamlLines returns the lines of a list at the top level of a file, as written by
// yaml.Marshal.
func yamlLines(key string, list []string) string {
	text, err := yaml.Marshal(map[string][]string{key: list})
	if err != nil {
		panic(err) // Strings can always be encoded.
	}
	return "\n" + string(text)
}
