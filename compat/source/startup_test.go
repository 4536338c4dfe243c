package source

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// startUp are ToolHive's functions whose refusals the policy on start-up knows.
// compat/equivalence compares it with the auth server of the compiled release. The
// other releases must have the same functions, word for word.
var startUp = []struct{ file, function string }{
	{"pkg/authserver/config.go", "validateIssuerURLCore"},
	{"pkg/authserver/config.go", "ValidateForceConfidentialRedirectURIs"},
	{"pkg/authserver/config.go", "Config.validateUpstreamName"},
	{"pkg/authserver/config.go", "validateUpstreamType"},
	{"pkg/authserver/config.go", "CIMDRunConfig.Validate"},
	{"pkg/authserver/runner/embeddedauthserver.go", "parseTokenLifespans"},
	{"pkg/authserver/server/provider.go", "validateTokenLifespans"},
	{"pkg/authserver/upstream/oauth2.go", "CommonOAuthConfig.ValidateWithInsecure"},
	{"pkg/authserver/upstream/oauth2.go", "OAuth2Config.ValidateWithInsecure"},
	{"pkg/authserver/upstream/oidc.go", "OIDCConfig.ValidateWithInsecure"},
	{"pkg/authserver/upstream/userinfo_config.go", "UserInfoConfig.Validate"},
	{"pkg/networking/utilities.go", "validateEndpointURLWithSkip"},
	{"pkg/oauthproto/locality.go", "IsLoopbackHost"},
	{"pkg/oauthproto/redirect.go", "ValidateRedirectURI"},
}

// lifespanBounds are constants of the file with validateTokenLifespans.
var lifespanBounds = []string{
	"MinAccessTokenLifespan", "MaxAccessTokenLifespan", "MinRefreshTokenLifespan", "MaxRefreshTokenLifespan", "MinAuthCodeLifespan", "MaxAuthCodeLifespan",
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

func startUpFinds(function string) map[string]find {
	finds := map[string]find{function: body(function)}
	if function == "validateTokenLifespans" {
		for _, bound := range lifespanBounds {
			finds[bound] = value(bound)
		}
	}
	return finds
}

// TestStartUpFunctions compares these functions of every release.
func TestStartUpFunctions(t *testing.T) {
	compiled := release.Find(t, release.Compiled).Files(t)
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			for _, difference := range compareStartUp(compiled, r.Files(t), r.Version) {
				t.Errorf("ToolHive %s, %s", r.Version, difference)
			}
		})
	}
}

func compareStartUp(compiled, files fs.FS, version string) (differences []string) {
	parsed := func(files fs.FS, path string) *file {
		f, err := parse(files, path)
		if err != nil {
			differences = append(differences, err.Error())
			return &file{}
		}
		return f
	}
	for _, each := range startUp {
		want, got := parsed(compiled, each.file), parsed(files, each.file)
		if len(differences) > 0 {
			return differences
		}
		for name, find := range startUpFinds(each.function) {
			if text := startUpText(got, find); (text == "" || text != startUpText(want, find)) && !wasRead(name, version) {
				differences = append(differences, fmt.Sprintf("%s: %s differs from %s: read it, and list it or change the policy", got.place(name), name, release.Compiled))
			}
		}
	}
	return differences
}

func startUpText(f *file, find find) string {
	var text []string
	for _, node := range find.nodes(f) {
		for _, word := range words(f.source(node), 0) {
			text = append(text, word.text)
		}
	}
	return strings.Join(text, " ")
}

// TestStartUpEdits changes each function and constant once, and expects that the
// comparison reports only that change.
func TestStartUpEdits(t *testing.T) {
	compiled := release.Find(t, release.Compiled).Files(t)
	files := fstest.MapFS{}
	for _, each := range startUp {
		text, err := fs.ReadFile(compiled, each.file)
		expect.NoError(t, err)
		files[each.file] = &fstest.MapFile{Data: text}
	}
	for _, each := range startUp {
		for name, find := range startUpFinds(each.function) {
			t.Run(name, func(t *testing.T) {
				f, err := parse(files, each.file)
				expect.NoError(t, err)
				source := f.source(find.nodes(f)[0])
				edited := fstest.MapFS{}
				for path, file := range files {
					edited[path] = file
				}
				changed := "2 * (" + source + ")"
				if strings.HasPrefix(source, "{") {
					changed = "{\n\tdefer func() {}()" + source[1:]
				}
				edited[each.file] = &fstest.MapFile{Data: []byte(strings.Replace(string(f.text), source, changed, 1))}
				differences := compareStartUp(compiled, edited, release.Compiled)
				if len(differences) != 1 || !slices.ContainsFunc(differences, func(difference string) bool { return strings.Contains(difference, ": "+name+" differs") }) {
					t.Errorf("got %q, want one difference, of %s", differences, name)
				}
			})
		}
	}
}
