package source

import (
	"testing"

	"github.com/scopegate/scopegate/compat/release"
)

// startUp are ToolHive's functions whose refusals the policy on start-up knows, and the
// bounds that they use. compat/equivalence compares the policy with the auth server of the
// compiled release. The other releases must have the same functions, word for word.
var startUp = map[string][]string{
	authServerConfig: {
		"validateIssuerURLCore", "ValidateForceConfidentialRedirectURIs", "Config.validateUpstreamName", "validateUpstreamType", "CIMDRunConfig.Validate",
	},
	authServerStart: {"parseTokenLifespans"},
	"pkg/authserver/server/provider.go": {
		"validateTokenLifespans", "MinAccessTokenLifespan", "MaxAccessTokenLifespan", "MinRefreshTokenLifespan", "MaxRefreshTokenLifespan",
		"MinAuthCodeLifespan", "MaxAuthCodeLifespan",
	},
	"pkg/authserver/upstream/oauth2.go":          {"CommonOAuthConfig.ValidateWithInsecure", "OAuth2Config.ValidateWithInsecure"},
	"pkg/authserver/upstream/oidc.go":            {"OIDCConfig.ValidateWithInsecure"},
	"pkg/authserver/upstream/userinfo_config.go": {"UserInfoConfig.Validate"},
	"pkg/networking/utilities.go":                {"validateEndpointURLWithSkip"},
	"pkg/oauthproto/locality.go":                 {"IsLoopbackHost"},
	"pkg/oauthproto/redirect.go":                 {"ValidateRedirectURI"},
}

// wasRead reports whether somebody has read how a function differs in a release, and
// found that the policy remains correct.
func wasRead(name, version string) bool {
	switch name {
	case "validateIssuerURLCore":
		// Other messages, a host that is a port alone, parameters for trusted issuers.
		return version < release.Compiled
	case "CommonOAuthConfig.ValidateWithInsecure":
		// It validates additionalTokenParams too.
		return version >= "v0.50.0"
	}
	return false
}

// TestStartUpFunctions compares these functions of every release.
func TestStartUpFunctions(t *testing.T) {
	compiled := release.Find(t, release.Compiled).Files(t)
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			files := r.Files(t)
			for path, names := range startUp {
				want, got := parse(t, compiled, path), parse(t, files, path)
				for _, name := range names {
					declared := got.declared(name)
					if text := got.source(declared); (text == "" || text != want.source(want.declared(name))) && !wasRead(name, r.Version) {
						t.Errorf("ToolHive %s, %s: %s differs from %s: read it, and list it or change the policy", r.Version, got.place(declared), name, release.Compiled)
					}
				}
			}
		})
	}
}
