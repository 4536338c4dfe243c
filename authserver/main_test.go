package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var binary string

func TestMain(m *testing.M) {
	testenv.RunMain(m, func(ctx context.Context, atEnd func(func() error)) error {
		folder, err := os.MkdirTemp("", "authserver-")
		if err != nil {
			return err
		}
		atEnd(func() error { return os.RemoveAll(folder) })
		binary = filepath.Join(folder, "authserver")
		return testenv.Build(ctx, ".", binary)
	})
}

func execute(t *testing.T, arguments ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, binary, arguments...) //nolint:gosec // The command under test.
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %s: %v", binary, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("authserver %v did not exit by itself; stderr:\n%s", arguments, errs.String())
	}
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

const validConfig = `{"schema_version":"v0.1.0","issuer":"http://localhost:9","allowed_audiences":["http://localhost:9/mcp"],
"upstreams":[{"name":"a","type":"oauth2","oauth2_config":{"authorization_endpoint":"http://localhost:9/a","token_endpoint":"http://localhost:9/t",
"client_id":"c","redirect_uri":"http://localhost:9/oauth/callback"}}],"scopes_supported":["openid"]%s}`

// TestPublicCertificates runs without those of the machine, as in the image.
func TestPublicCertificates(t *testing.T) {
	const file, none = "SSL_CERT_FILE", "none"
	if os.Getenv(file) != none {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPublicCertificates$") //nolint:gosec // This test.
		command.Env = append(os.Environ(), file+"="+none, "SSL_CERT_DIR="+t.TempDir())
		expect.Output(t, command)
		return
	}
	trusted, err := x509.SystemCertPool()
	expect.NoError(t, err)
	if trusted.Equal(x509.NewCertPool()) {
		t.Error("no certificate authority is trusted")
	}
}

func TestRefusals(t *testing.T) {
	cases := map[string]struct {
		config string
		want   []string
	}{
		"baseline outside the effective scopes": {
			fmt.Sprintf(validConfig, `,"baseline_client_scopes":["openid","mcp:read"]`),
			[]string{`invalid run config: baseline_client_scopes contains "mcp:read" which is not in scopes_supported`},
		},
		"baseline that differs in case": {
			fmt.Sprintf(validConfig, `,"baseline_client_scopes":["OpenID"]`),
			[]string{`baseline_client_scopes contains "OpenID" which is not in scopes_supported`},
		},
		"lifespan that is found late": {
			fmt.Sprintf(validConfig, `,"token_lifespans":{"access_token_lifespan":"48h"}`),
			[]string{"access token lifespan"},
		},
		"secret that is not there": {
			strings.Replace(fmt.Sprintf(validConfig, ""), `"client_id":"c"`, `"client_id":"c","client_secret_env_var":"NO_SUCH_VARIABLE"`, 1),
			[]string{`environment variable "NO_SUCH_VARIABLE" is not set`},
		},
		"key that is not there": {
			fmt.Sprintf(validConfig, `,"signing_key_config":{"key_dir":"/no/such","signing_key_file":"key-0.pem"}`),
			[]string{"/no/such/key-0.pem"},
		},
		"issuer on which ToolHive panics": {
			`{"issuer":"http://localhost:9","insecure_allow_http":true,"allowed_audiences":["http://localhost:9/mcp"],"upstreams":[{"type":"oidc",` +
				`"oidc_config":{"issuer_url":"https://a:port","client_id":"c","redirect_uri":"http://localhost:9/oauth/callback"}}]}`,
			[]string{"panics on this run config"},
		},
		"unknown field":   {fmt.Sprintf(validConfig, `,"baseline_scopes":["openid"]`), []string{`unknown field "baseline_scopes"`}},
		"wrong type":      {fmt.Sprintf(validConfig, `,"hmac_secret_files":"one"`), []string{"hmac_secret_files", "wrong type"}},
		"trailing data":   {fmt.Sprintf(validConfig, "") + ` {}`, []string{"followed by more data"}},
		"trailing letter": {fmt.Sprintf(validConfig, "") + `x`, []string{"followed by more data"}},
		"malformed":       {`{"issuer":"a"]`, []string{"malformed JSON at byte 14"}},
		"cut off":         {`{"issuer":"a"`, []string{"cut off"}},
		"empty":           {``, []string{"empty"}},
		"blank":           {" \n", []string{"empty"}},
		"null":            {`null`, []string{"null"}},
		"a list":          {`[]`, []string{"wrong type"}},
		"too large":       {`{"issuer":"` + strings.Repeat("a", maxConfigBytes) + `"}`, []string{"larger than"}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "run.json")
			expect.NoError(t, os.WriteFile(file, []byte(test.config), 0o600))
			refused(t, append(test.want, file), "--config", file, "--listen", "127.0.0.1:0")
		})
	}
	t.Run("no such file", func(t *testing.T) {
		refused(t, []string{"/no/such/file", "no such file"}, "--config", "/no/such/file")
	})
	t.Run("a folder", func(t *testing.T) {
		refused(t, []string{os.TempDir(), "is a directory"}, "--config", os.TempDir())
	})
	t.Run("address that can't be listened on", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "run.json")
		expect.NoError(t, os.WriteFile(file, []byte(fmt.Sprintf(validConfig, "")), 0o600))
		_, stderr, status := execute(t, "--config", file, "--listen", "127.0.0.1:99999")
		if status != exitFailure || !strings.Contains(stderr, "listening on 127.0.0.1:99999") {
			t.Errorf("status %d, stderr:\n%s", status, stderr)
		}
	})
}

// refused expects exit status 1 and a single line on stderr that contains all of
// want.
func refused(t *testing.T, want []string, arguments ...string) {
	t.Helper()
	stdout, stderr, status := execute(t, arguments...)
	if status != exitFailure || stdout != "" {
		t.Errorf("exit status %d, want %d; stdout: %q", status, exitFailure, stdout)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
		t.Errorf("stderr is not one line:\n%s", stderr)
	}
	expect.Contains(t, stderr, want...)
}

func TestCommandLine(t *testing.T) {
	cases := map[string]struct {
		arguments              []string
		status                 int
		wantStdout, wantStderr string
	}{
		"help":            {[]string{"--help"}, 0, "--config file", ""},
		"unknown flag":    {[]string{"--confg", "x"}, exitUsage, "", "unknown flag: --confg"},
		"no config":       {nil, exitUsage, "", "--config must name"},
		"extra argument":  {[]string{"--config", "x", "y"}, exitUsage, "", `unexpected argument "y"`},
		"not a duration":  {[]string{"--config", "x", "--shutdown-grace", "soon"}, exitUsage, "", "--shutdown-grace"},
		"no value at all": {[]string{"--config"}, exitUsage, "", "flag needs an argument"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, status := execute(t, test.arguments...)
			if status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			if !strings.Contains(stdout, test.wantStdout) || !strings.Contains(stderr, test.wantStderr) {
				t.Errorf("stdout:\n%s\nstderr:\n%s", stdout, stderr)
			}
			if (test.wantStderr == "") != (stderr == "") || strings.Count(stderr, "\n") > 1 {
				t.Errorf("stderr:\n%s", stderr)
			}
		})
	}
}
