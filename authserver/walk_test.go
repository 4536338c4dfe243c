package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/zitadel/oidc/v3/pkg/client"
	"golang.org/x/oauth2"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// appCallback is the redirect URI of the client. Nothing listens there: the walk
// ends when the browser is sent there.
const appCallback = "http://127.0.0.1:33418/callback"

// TestWalk does what a client does: discovery, registration, login at a real
// OpenID provider, token. The run config, secrets and CA are the same as in a
// pod.
func TestWalk(t *testing.T) {
	const samples = "../config/samples/*.yaml"
	cases := map[string]struct {
		manifests, kind, name       string
		effective, baseline         []string
		notRegistered, notEffective string
	}{
		"keys that outlive a restart": {
			"testdata/login.yaml", "MCPServer", "web",
			[]string{"openid", "profile", "offline_access", "mcp:read"}, []string{"offline_access", "mcp:read"}, "profile", "mcp:write",
		},
		"sample, scopes of the consumer": {
			samples, "MCPServer", "weather",
			[]string{"openid", "profile", "offline_access"}, []string{"openid", "offline_access"}, "profile", "email",
		},
		"sample, the defaults": {
			samples, "MCPRemoteProxy", "tickets",
			[]string{"openid", "profile", "email", "offline_access"}, []string{"openid", "offline_access"}, "email", "mcp:read",
		},
		"sample, scopesSupported": {
			samples, "VirtualMCPServer", "office",
			[]string{"openid", "profile", "calendar.read", "offline_access"}, []string{"openid", "calendar.read"}, "offline_access", "calendar.write",
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startAuthServer(t, test.manifests, test.kind, test.name)
			discovered, err := client.Discover(t.Context(), server.issuer, http.DefaultClient)
			if err != nil {
				t.Fatalf("discovery: %v", err)
			}
			expect.Equal(t, "scopes_supported of discovery are not the effective scopes", test.effective, discovered.ScopesSupported)
			registered := register(t, server.issuer, "openid")
			granted := sets.List(sets.New(test.baseline...).Insert("openid"))
			expect.Equal(t, "a client that registers for openid alone is not given the baseline too", granted, sets.List(sets.New(strings.Fields(registered.Scope)...)))
			app := &oauth2.Config{
				ClientID:    registered.ClientID,
				RedirectURL: appCallback,
				Endpoint: oauth2.Endpoint{
					AuthURL: discovered.AuthorizationEndpoint, TokenURL: discovered.TokenEndpoint, AuthStyle: oauth2.AuthStyleInParams,
				},
			}
			checkLogin(t, server, app, discovered.JwksURI, granted)
			checkLogin(t, server, app, discovered.JwksURI, []string{"openid"})
			for _, outside := range []string{
				test.notEffective, test.notRegistered, strings.ToUpper(test.baseline[1]), test.baseline[1][:3], strings.Join(test.baseline, ","),
			} {
				checkRefused(t, server, app, outside)
			}
			if status, body := postRegistration(t, server.issuer, "openid "+test.notEffective); status != http.StatusBadRequest || !strings.Contains(string(body), test.notEffective) {
				t.Errorf("registration for %q is answered %d: %s", test.notEffective, status, body)
			}
			checkShutdown(t, server)
		})
	}
}

// checkLogin expects a token with exactly the given scopes. With offline_access
// it also expects a refresh token that works.
func checkLogin(t *testing.T, server *authServer, app *oauth2.Config, jwksURI string, scopes []string) {
	t.Helper()
	asking := *app
	asking.Scopes = scopes
	token := login(t, server, &asking)
	expect.Equal(t, "the access token does not have the requested scopes", scopes, scopesOf(t, server, token, jwksURI))
	if lasts := slices.Contains(scopes, "offline_access"); lasts != (token.RefreshToken != "") {
		t.Fatalf("offline_access requested: %v; refresh token issued: %v", lasts, token.RefreshToken != "")
	}
	if token.RefreshToken == "" {
		return
	}
	refreshed, err := asking.TokenSource(server.context(t), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil {
		t.Fatalf("refreshing: %v", err)
	}
	expect.Equal(t, "the refreshed token has other scopes", scopes, scopesOf(t, server, refreshed, jwksURI))
}

// checkRefused expects that a client that also requests scope is sent back
// without a code.
func checkRefused(t *testing.T, server *authServer, app *oauth2.Config, scope string) {
	t.Helper()
	asking := *app
	asking.Scopes = []string{"openid", scope}
	answer := follow(t, server, asking.AuthCodeURL("the-state-of-a-test", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()), server.audience()))
	if answer.Get("error") != "invalid_scope" || answer.Has("code") {
		t.Errorf("%q is answered with %v, want invalid_scope", scope, answer)
	}
}

type registration struct {
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

// register registers a client (RFC 7591). There is no well-maintained client
// library for that.
func register(t *testing.T, issuer, scope string) registration {
	t.Helper()
	status, body := postRegistration(t, issuer, scope)
	if status != http.StatusCreated {
		t.Fatalf("registration is answered %d: %s", status, body)
	}
	var registered registration
	if err := json.Unmarshal(body, &registered); err != nil {
		t.Fatalf("registration is answered with %s: %v", body, err)
	}
	return registered
}

func postRegistration(t *testing.T, issuer, scope string) (status int, body []byte) {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"client_name": "walk", "redirect_uris": []string{appCallback}, "scope": scope, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
	})
	expect.NoError(t, err)
	response, err := http.Post(issuer+"/oauth/register", "application/json", bytes.NewReader(text)) //nolint:noctx // The server under test.
	if err != nil {
		t.Fatalf("registration: %v", err)
	}
	defer response.Body.Close() //nolint:errcheck // A test.
	body, err = io.ReadAll(response.Body)
	expect.NoError(t, err)
	return response.StatusCode, body
}

func (s *authServer) audience() oauth2.AuthCodeOption {
	return oauth2.SetAuthURLParam("resource", s.resource)
}

func login(t *testing.T, server *authServer, app *oauth2.Config) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	answer := follow(t, server, app.AuthCodeURL("the-state-of-a-test", oauth2.S256ChallengeOption(verifier), server.audience()))
	if answer.Get("state") != "the-state-of-a-test" || answer.Get("code") == "" {
		t.Fatalf("the client is sent back with %v", answer)
	}
	token, err := app.Exchange(server.context(t), answer.Get("code"), oauth2.VerifierOption(verifier), server.audience())
	if err != nil {
		t.Fatalf("exchanging the code: %v", err)
	}
	return token
}

// follow acts as the user's browser: it follows redirects and logs in at the
// provider until the client gets its response.
func follow(t *testing.T, server *authServer, address string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	expect.NoError(t, err)
	var answer *url.URL
	browser := &http.Client{
		Jar: jar, Transport: server.provider.Client().Transport,
		CheckRedirect: func(request *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(request.URL.String(), appCallback) {
				answer = request.URL
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	response, err := browser.Get(address) //nolint:noctx // A test.
	if err != nil {
		t.Fatalf("GET %s: %v", address, err)
	}
	response.Body.Close() //nolint:errcheck,gosec // A test.
	if answer == nil {
		page := response.Request.URL
		if !strings.HasPrefix(page.String(), server.provider.URL+"/login/") {
			t.Fatalf("the browser ends at %s with %s, and not at the login page", page, response.Status)
		}
		response, err = browser.PostForm(server.provider.URL+"/login/username", url.Values{ //nolint:noctx // A test.
			"username": {"test-user2"}, "password": {"verysecure"}, "id": {page.Query().Get("authRequestID")},
		})
		if err != nil {
			t.Fatalf("logging in: %v", err)
		}
		response.Body.Close() //nolint:errcheck,gosec // A test.
	}
	if answer == nil {
		t.Fatalf("after the login, the browser ends at %s with %s", response.Request.URL, response.Status)
	}
	return answer.Query()
}

// scopesOf verifies an access token by the published keys, its audience and its
// issuer, and returns its scopes.
func scopesOf(t *testing.T, server *authServer, token *oauth2.Token, jwksURI string) []string {
	t.Helper()
	response, err := http.Get(jwksURI) //nolint:gosec,noctx // The server under test.
	if err != nil {
		t.Fatalf("fetching the keys: %v", err)
	}
	defer response.Body.Close() //nolint:errcheck // A test.
	var keys jose.JSONWebKeySet
	if err := json.NewDecoder(response.Body).Decode(&keys); err != nil {
		t.Fatalf("reading the keys: %v", err)
	}
	parsed, err := jwt.ParseSigned(token.AccessToken, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("the access token is not a JWT: %v", err)
	}
	var standard jwt.Claims
	var own struct {
		Scopes []string `json:"scp"`
	}
	if err := parsed.Claims(&keys, &standard, &own); err != nil {
		t.Fatalf("the access token is not signed by a published key: %v", err)
	}
	if standard.Issuer != server.issuer || !standard.Audience.Contains(server.resource) {
		t.Errorf("the access token is of issuer %q for %q", standard.Issuer, standard.Audience)
	}
	slices.Sort(own.Scopes)
	return own.Scopes
}

// checkShutdown queries the probes and sends SIGTERM while a request is in
// flight. The server must then be alive but not ready, and must answer the
// request.
func checkShutdown(t *testing.T, server *authServer) {
	t.Helper()
	answers := func(path string, want int) {
		t.Helper()
		if status, _, err := testenv.Fetch(t.Context(), server.issuer+path, ""); err != nil || status != want {
			t.Errorf("GET %s: %d, %v, want %d", path, status, err, want)
		}
	}
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusOK, "/metrics": http.StatusNotFound} {
		answers(path, want)
	}
	inFlight, err := net.Dial("tcp", strings.TrimPrefix(server.issuer, "http://")) //nolint:noctx // A test.
	expect.NoError(t, err)
	defer inFlight.Close() //nolint:errcheck // A test.
	const form = "grant_type=none"
	head := "POST /oauth/token HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
	if _, err := fmt.Fprintf(inFlight, head, len(form), form[:3]); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.process.Stop() }()
	server.awaitStatus(t, http.StatusServiceUnavailable)
	answers("/healthz", http.StatusOK)
	expect.Eventually(t, "it is closed to new requests", func(context.Context) (bool, error) {
		connection, err := net.Dial("tcp", strings.TrimPrefix(server.issuer, "http://")) //nolint:noctx // A test.
		if err == nil {
			connection.Close() //nolint:errcheck,gosec // A test.
		}
		return err != nil, nil
	})
	if _, err := io.WriteString(inFlight, form[3:]); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(inFlight), nil)
	if err != nil {
		t.Fatalf("the request in flight is not answered: %v", err)
	}
	answer.Body.Close() //nolint:errcheck,gosec // A test.
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("the request in flight is answered %s", answer.Status)
	}
	if err := <-stopped; err != nil {
		t.Errorf("after SIGTERM it exits with: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(server.process.Logs()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is not JSON: %s", line)
		}
	}
	if !strings.Contains(server.process.Logs(), `"msg":"stopped"`) {
		t.Errorf("the log does not report the end:\n%s", server.process.Logs())
	}
}
