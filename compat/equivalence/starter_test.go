package equivalence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stacklok/toolhive/pkg/authserver"
	"github.com/stacklok/toolhive/pkg/authserver/runner"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

const mounts = "/etc/toolhive/authserver"

// starter starts auth servers from run configs, with the files and variables
// that their pods would have.
type starter struct{ folder string }

func newStarter(t *testing.T) starter {
	t.Helper()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	folder := t.TempDir()
	key, err := keyutil.MakeEllipticPrivateKeyPEM()
	expect.NoError(t, err)
	certificate, _, err := cert.GenerateSelfSignedCertKey("test", nil, nil)
	expect.NoError(t, err)
	files := map[string][]byte{"redis-tls/ca.crt": certificate, "redis-tls/sentinel-ca.crt": certificate}
	for i := range 5 {
		files[fmt.Sprintf("keys/key-%d.pem", i)] = key
		files[fmt.Sprintf("hmac/hmac-%d", i)] = bytes.Repeat([]byte{byte(i)}, 32)
		files[fmt.Sprintf("upstream-ca/%d/ca.crt", i)] = certificate
	}
	for name, content := range files {
		file := filepath.Join(folder, name)
		expect.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		expect.NoError(t, os.WriteFile(file, content, 0o600))
	}
	t.Setenv(runner.RedisUsernameEnvVar, "user")
	t.Setenv(runner.RedisPasswordEnvVar, "password")
	return starter{folder: folder}
}

// start returns the error of NewEmbeddedAuthServer on a run config. It does not
// use the network. If the auth server would connect to its storage or a provider,
// it starts twice: once with a context that has ended, for the checks before the
// connection, and once without the storage and with endpoints that need no
// discovery, for the checks after it.
func (s starter) start(t *testing.T, run *authserver.RunConfig) error {
	t.Helper()
	if run == nil {
		return errors.New("no run config")
	}
	text := strings.ReplaceAll(toJSON(t, run), mounts, s.folder)
	for _, upstream := range run.Upstreams {
		for _, name := range secretVariables(upstream) {
			if os.Getenv(name) == "" {
				t.Setenv(name, "secret")
			}
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for _, attempt := range []struct {
		ctx     context.Context
		without func(*authserver.RunConfig)
	}{
		{ended, func(*authserver.RunConfig) {}},
		{ended, withoutStorage},
		{t.Context(), func(run *authserver.RunConfig) { withoutStorage(run); withoutDiscovery(run) }},
	} {
		again := &authserver.RunConfig{}
		expect.NoError(t, json.Unmarshal([]byte(text), again))
		attempt.without(again)
		server, err := newServer(attempt.ctx, again)
		switch {
		case err == nil:
			if err := server.Close(); err != nil {
				return err
			}
		case attempt.ctx.Err() != nil && errors.Is(err, context.Canceled):
		default:
			return err
		}
	}
	return nil
}

// newServer returns a panic as an error: ToolHive panics on some issuers that are
// not URLs.
func newServer(ctx context.Context, run *authserver.RunConfig) (server *runner.EmbeddedAuthServer, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return runner.NewEmbeddedAuthServer(ctx, run)
}

func secretVariables(upstream authserver.UpstreamRunConfig) (names []string) {
	if upstream.OIDCConfig != nil && upstream.OIDCConfig.ClientSecretEnvVar != "" {
		names = append(names, upstream.OIDCConfig.ClientSecretEnvVar)
	}
	if upstream.OAuth2Config != nil && upstream.OAuth2Config.ClientSecretEnvVar != "" {
		names = append(names, upstream.OAuth2Config.ClientSecretEnvVar)
	}
	return names
}

func withoutStorage(run *authserver.RunConfig) { run.Storage = nil }

// withoutDiscovery turns OpenID providers into OAuth 2.0 ones.
func withoutDiscovery(run *authserver.RunConfig) {
	for i, upstream := range run.Upstreams {
		if oidc := upstream.OIDCConfig; oidc != nil {
			run.Upstreams[i].Type, run.Upstreams[i].OIDCConfig = authserver.UpstreamProviderTypeOAuth2, nil
			run.Upstreams[i].OAuth2Config = &authserver.OAuth2UpstreamRunConfig{
				AuthorizationEndpoint: "https://login.example.com/authorize", TokenEndpoint: "https://login.example.com/token",
				ClientID: oidc.ClientID, ClientSecretEnvVar: oidc.ClientSecretEnvVar, RedirectURI: oidc.RedirectURI, Scopes: oidc.Scopes,
				AdditionalAuthorizationParams: oidc.AdditionalAuthorizationParams, CAFilePath: oidc.CAFilePath, AllowPrivateIPs: oidc.AllowPrivateIPs,
			}
		}
	}
}
