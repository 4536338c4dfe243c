package runconfigs

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/stacklok/toolhive/pkg/authserver"
	"github.com/stacklok/toolhive/pkg/authserver/server/tokenexchange"
	"github.com/stacklok/toolhive/pkg/authz"
	"github.com/stacklok/toolhive/pkg/runner"
	"github.com/stacklok/toolhive/pkg/transport/types"
)

// random generates run configs that are easy to misread: any text may look like
// structure, and any key may be one of the auth server's.
type random struct{ *rand.Rand }

func (r random) one(in int) bool { return r.IntN(in) == 0 }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

// plain are ordinary scopes.
var plain = []string{"openid", "profile", "email", "offline_access", "mcp:read", "tools:write", "https://example.com/scope", "OpenID"}

// odd are texts that a reader could take for something else.
var odd = []string{
	"", " ", "a ", " a", "a b", "null", "true", "~", "yes", "1", "1:20", "0x1", "1e3", "2001-01-01", "=", "<<", "---", "--- a", "...", "-", "- x", "-x", "--", "?", "? a",
	":", ": a", "a:", "a: b", "a:b", "#", "# a", "a #b", "a#b", "[", "]", "[a]", "[a, b]", "{", "}", "{a: b}", "{}", "[]", ",", "a,b", "a, b", "&a", "*a", "!a", "!!str a", "%a", "@a", "`a`",
	"|", "|-", "> x", "'", "'a'", "a'b", "\"", "\"a\"", "a\"b", "\\", "a\\", "a\\nb", "\\u0061", "\t", "a\tb", "\r", "a\r\nb", "<script>&amp;", "é", "日本語", "😀", "\u00a0", "\u0085", "\u2028", "\u2029", "\ufeff",
	"ſ", "K", "\x00", "\x1b", "\x7f", "baseline_client_scopes", "scopes_supported", "embedded_auth_server_config", "baseline_client_scopes:", "\"baseline_client_scopes\": [",
	"  }", "    ]", "},", "],", "{\"embedded_auth_server_config\":{\"baseline_client_scopes\":[\"x\"]}}",
}

var blocks = []string{
	"a\nb", "a\n", "a\n\n", "a\n\nb", "a\n  b", "a\n- b", "a\n    - b", "    - a\n    - b", "  a\n  b", "- a\n- b", "a\nbaseline_client_scopes:\n    - x", "a\nb: \"", "a\n\"b", "a\n'b", "a\n[b",
	"a\n|-", "a: |-\n    b", "a\n\tb", "a\n# b", "a\n\n\n", "- |-\n  a", "a\n  },\n  \"embedded_auth_server_config\": {\n", "a\n    ]\n", "x\n---\ny", "x\n...\ny", "a\né", "a\n😀",
}

func (r random) text() string {
	switch r.IntN(10) {
	case 0:
		return pick(r, blocks...)
	case 1, 2, 3:
		return pick(r, odd...)
	case 4:
		return pick(r, plain...) + pick(r, odd...)
	case 5:
		return r.noise()
	default:
		return pick(r, plain...)
	}
}

// noise returns text of characters that mean something to a decoder.
func (r random) noise() string {
	const characters = "ab -:#[]{},&*!|>'\"%@`\\/?=<~.0_\n\té"
	all := []rune(characters)
	var text strings.Builder
	for range 1 + r.IntN(12) {
		text.WriteRune(all[r.IntN(len(all))])
	}
	return text.String()
}

func (r random) texts(most int) []string {
	var list []string
	for range r.IntN(most + 1) {
		list = append(list, r.text())
	}
	return list
}

// tokens are the odd texts that are scope tokens (RFC 6749 section 3.3).
var tokens = func() []string {
	var found []string
	for _, text := range odd {
		if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }) {
			found = append(found, text)
		}
	}
	return found
}()

func (r random) scope() string {
	switch r.IntN(12) {
	case 0:
		return pick(r, tokens...)
	case 1:
		return pick(r, plain...) + pick(r, tokens...)
	case 2:
		return strings.Repeat(pick(r, plain...)+pick(r, "", "/"), 1+r.IntN(30))
	case 3:
		const characters = "ab-:#[]{},&*!|>'%@`/?=<~.0_^$;()+"
		var text strings.Builder
		for range 1 + r.IntN(6) {
			text.WriteByte(characters[r.IntN(len(characters))])
		}
		return text.String()
	default:
		return pick(r, plain...)
	}
}

func (r random) scopes() (supported, baseline []string) {
	for range r.IntN(8) {
		supported = append(supported, r.scope())
	}
	for range r.IntN(5) {
		switch {
		case r.one(6):
			baseline = append(baseline, r.scope())
		case len(supported) > 0:
			baseline = append(baseline, pick(r, supported...))
		default:
			baseline = append(baseline, pick(r, plain[:4]...))
		}
	}
	return supported, baseline
}

func (r random) strings(most int) map[string]string {
	all := map[string]string{}
	for range r.IntN(most + 1) {
		all[r.text()] = r.text()
	}
	return all
}

func (r random) authServer() *authserver.RunConfig {
	config := &authserver.RunConfig{
		SchemaVersion: authserver.CurrentSchemaVersion, Issuer: r.text(), AllowedAudiences: r.texts(2),
		HMACSecretFiles: r.texts(1), DelegationTokenLifespan: pick(r, "", "15m"), InsecureAllowHTTP: r.one(2),
	}
	config.ScopesSupported, config.BaselineClientScopes = r.scopes()
	for range r.IntN(3) {
		config.Upstreams = append(config.Upstreams, authserver.UpstreamRunConfig{Name: r.text(), Type: "oidc", OIDCConfig: &authserver.OIDCUpstreamRunConfig{
			IssuerURL: r.text(), ClientID: r.text(), Scopes: r.texts(3), AdditionalAuthorizationParams: r.params(), RedirectURI: pick(r, "", r.text()),
		}})
	}
	if r.one(3) {
		config.SigningKeyConfig = &authserver.SigningKeyRunConfig{KeyDir: r.text(), FallbackKeyFiles: r.texts(2)}
	}
	if r.one(3) {
		config.TokenLifespans = &authserver.TokenLifespanRunConfig{AccessTokenLifespan: "1h", AuthCodeLifespan: r.text()}
	}
	if r.one(3) {
		config.DelegateClients = []authserver.DelegateClientRunConfig{{ClientID: r.text(), Scopes: r.texts(3), Audiences: r.texts(2)}}
	}
	if r.one(3) {
		config.TrustedIssuers = []tokenexchange.TrustedIssuer{{IssuerURL: r.text(), AllowedActors: r.texts(2)}}
	}
	if r.one(3) {
		config.CIMD = &authserver.CIMDRunConfig{Enabled: true, CacheFallbackTTL: r.text()}
	}
	return config
}

// params returns parameters of an authorization request, whose names a user
// chooses.
func (r random) params() map[string]string {
	all := map[string]string{}
	for range r.IntN(3) {
		all[pick(r, "prompt", "access_type", "baseline_client_scopes", "scopes_supported", "hd", pick(r, odd...))] = r.text()
	}
	return all
}

// opaque returns JSON of any form that may contain the keys of an auth server.
func (r random) opaque(depth int) any {
	switch which := r.IntN(8); {
	case which == 0:
		return nil
	case which == 1:
		return r.IntN(100)
	case which == 2 || depth == 0:
		return r.text()
	case which == 3:
		list := make([]any, r.IntN(3))
		for i := range list {
			list[i] = r.opaque(depth - 1)
		}
		return list
	default:
		object := map[string]any{}
		for range r.IntN(4) {
			object[pick(r, "embedded_auth_server_config", "baseline_client_scopes", "scopes_supported", "Baseline_Client_Scopes", "schema_version", "x", pick(r, odd...))] = r.opaque(depth - 1)
		}
		if r.one(3) {
			supported, baseline := r.scopes()
			object["embedded_auth_server_config"] = map[string]any{"scopes_supported": supported, "baseline_client_scopes": baseline}
		}
		return object
	}
}

func (r random) raw() json.RawMessage {
	text, err := json.Marshal(r.opaque(5))
	if err != nil {
		panic(err)
	}
	return text
}

func (r random) runConfig() (*runner.RunConfig, error) {
	config := &runner.RunConfig{
		SchemaVersion: runner.CurrentSchemaVersion, Name: r.text(), Image: r.text(), Host: "0.0.0.0", Port: 8080, Transport: "streamable-http",
		CmdArgs: r.texts(3), EnvVars: r.strings(3), Volumes: r.texts(1), ToolsFilter: r.texts(2), K8sPodTemplatePatch: r.text(), ContainerLabels: r.strings(2),
		MCPServerGeneration: int64(r.IntN(3)),
	}
	if r.one(2) {
		authzConfig := &authz.Config{}
		if err := authzConfig.UnmarshalJSON([]byte(fmt.Sprintf(`{"version":"1.0","type":"cedarv1","cedar":%s,"embedded_auth_server_config":%s}`, r.raw(), r.raw()))); err != nil {
			return nil, err
		}
		config.AuthzConfig = authzConfig
	}
	if r.one(3) {
		config.MiddlewareConfigs = []types.MiddlewareConfig{{Type: r.text(), Parameters: r.raw()}}
	}
	if r.one(3) {
		config.ToolsOverride = map[string]runner.ToolOverride{r.text(): {Name: r.text(), Description: r.text()}}
	}
	if !r.one(8) {
		config.EmbeddedAuthServerConfig = r.authServer()
	}
	return config, nil
}
