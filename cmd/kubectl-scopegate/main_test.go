package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

const (
	clean = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPServer
metadata:
  name: a
spec:
  image: example.com/a:1
`
	wrong   = clean + "  imagee: b\n"
	warning = clean + "  authServerRef: {name: elsewhere}\n"
)

type brokenPipe struct{}

func (brokenPipe) Read([]byte) (int, error)  { return 0, errors.New("broken pipe") }
func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestExitStatus(t *testing.T) {
	sample := expect.ReadFile(t, "../../config/samples/60-virtual-mcp-server.yaml")
	// Without scopes, the auth server has the defaults.
	office := regexp.MustCompile(`(?m)^ *scopesSupported: .*\n`).ReplaceAllString(sample, "")
	mistake := expect.ReadFile(t, "../../config/samples/mistakes/baseline-not-in-own-oidc-scopes.yaml")
	folder := t.TempDir()
	for name, text := range map[string]string{"clean.yaml": clean, "wrong.yaml": wrong, "warning.yaml": warning, "below/wrong.yaml": wrong, "none/readme.md": "", "none/below/office.yaml": mistake} {
		file := filepath.Join(folder, name)
		expect.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		expect.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	t.Chdir(folder)
	t.Setenv("KUBECONFIG", filepath.Join(folder, "no-such-kubeconfig"))
	for name, c := range map[string]struct {
		args   []string
		stdin  io.Reader
		code   int
		stdout string
		stderr string
	}{
		"no command":         {args: nil, stdout: "Available Commands"},
		"help":               {args: []string{"lint", "--help"}, stdout: "Exit status: 0 clean, 1 findings, 2 wrong usage, 3 could not validate"},
		"version":            {args: []string{"version"}, stdout: "scopegate "},
		"completion":         {args: []string{"completion", "bash"}, stdout: "bash completion"},
		"completed formats":  {args: []string{"__complete", "lint", "-o", ""}, stdout: "github\njson\njunit\nsarif\ntext\n"},
		"formats of a tree":  {args: []string{"__complete", "tree", "-o", ""}, stdout: "wide\njson\n"},
		"completed command":  {args: []string{"__complete", "guard", "che"}, stdout: "check\t"},
		"version by a flag":  {args: []string{"--version"}, stdout: "scopegate "},
		"unknown command":    {args: []string{"deploy"}, code: exitUsage, stderr: "unknown command \"deploy\" for \"kubectl scopegate\"\n"},
		"misspelt command":   {args: []string{"tre"}, code: exitUsage, stderr: `unknown command "tre" for "kubectl scopegate"; did you mean tree?`},
		"misspelt below":     {args: []string{"guard", "chekc"}, code: exitUsage, stderr: `unknown command "chekc" for "kubectl scopegate guard"; did you mean check?`},
		"unknown flag":       {args: []string{"lint", "--fast"}, code: exitUsage, stderr: "unknown flag: --fast"},
		"unknown format":     {args: []string{"lint", "-o", "xml", "clean.yaml"}, code: exitUsage, stderr: "must be one of github, json, junit, sarif, text"},
		"no input named":     {args: []string{"lint"}, code: exitUsage, stderr: "name files or folders with -f"},
		"input twice":        {args: []string{"lint", "-", "-f", "-"}, code: exitUsage, stderr: "read only once"},
		"input as old":       {args: []string{"lint", "-f", "-", "--old", "-"}, code: exitUsage, stderr: "read only once"},
		"clean":              {args: []string{"lint", "-f", "clean.yaml"}, stdout: "0 errors, 0 warnings in 1 object of 1 file\n"},
		"without -f":         {args: []string{"lint", "clean.yaml"}, stdout: "0 errors, 0 warnings in 1 object of 1 file\n"},
		"findings":           {args: []string{"lint", "-f", "wrong.yaml"}, code: exitFindings, stdout: "wrong.yaml:7:3: error: MCPServer default/a: unknown field"},
		"one of two":         {args: []string{"lint", "clean.yaml", "wrong.yaml"}, code: exitFindings, stdout: "1 error, 1 warning in 2 objects of 2 files"},
		"warnings":           {args: []string{"lint", "warning.yaml"}, stdout: "0 errors, 1 warning in 1 object of 1 file\n"},
		"strict":             {args: []string{"lint", "--strict", "warning.yaml"}, code: exitFindings, stdout: "1 error, 0 warnings"},
		"namespace":          {args: []string{"lint", "-n", "team", "-o", "json", "warning.yaml"}, stdout: `"namespace": "team"`},
		"standard input":     {args: []string{"lint", "-f", "-"}, stdin: strings.NewReader(wrong), code: exitFindings, stdout: "<stdin>:7:3: error:"},
		"empty input":        {args: []string{"lint", "-f", "-"}, code: exitFailed, stderr: "standard input has no objects"},
		"other kinds alone":  {args: []string{"lint", "-f", "-"}, stdin: strings.NewReader("kind: Pod\napiVersion: v1\n"), stdout: "0 errors, 1 warning in 0 objects of 1 file; 1 object of other kinds skipped\n"},
		"nothing, strict":    {args: []string{"lint", "--strict", "-f", "-"}, stdin: strings.NewReader("kind: Pod\napiVersion: v1\n"), code: exitFindings, stdout: "[input/nothing-validated]"},
		"failure, in SARIF":  {args: []string{"lint", "-o", "sarif", "missing.yaml"}, code: exitFailed, stdout: "missing.yaml: no such file", stderr: "missing.yaml: no such file"},
		"failure, in JSON":   {args: []string{"lint", "-o", "json", "-"}, code: exitFailed, stdout: `"error": "standard input has no objects`, stderr: "standard input has no objects"},
		"a folder":           {args: []string{"lint", "below"}, code: exitFindings, stdout: "in 1 object of 1 file"},
		"folders below":      {args: []string{"lint", "-R", "."}, code: exitFindings, stdout: "of 5 files"},
		"stored before":      {args: []string{"lint", "--old", "clean.yaml", "wrong.yaml"}, code: exitFindings, stdout: "1 error"},
		"stored below":       {args: []string{"lint", "-R", "--old", "none", "none/below/office.yaml"}, code: exitFindings, stdout: "[baseline/not-supported]"},
		"missing file":       {args: []string{"lint", "missing.yaml"}, code: exitFailed, stderr: "missing.yaml"},
		"missing old":        {args: []string{"lint", "clean.yaml", "--old", "missing.yaml"}, code: exitFailed, stderr: "missing.yaml"},
		"nothing in folder":  {args: []string{"lint", "none"}, code: exitFailed, stderr: "there are no manifests"},
		"unreadable input":   {args: []string{"lint", "-"}, stdin: brokenPipe{}, code: exitFailed, stderr: "broken pipe"},
		"default scopes":     {args: []string{"lint", "--guard", "-"}, stdin: strings.NewReader(office), code: exitFindings, stdout: `scope "calendar.read" is not supported by the auth server of VirtualMCPServer "office"`},
		"other defaults":     {args: []string{"lint", "--guard", "--default-scopes", "openid calendar.read", "-"}, stdin: strings.NewReader(office), stdout: "0 errors, 1 warning"},
		"no default scope":   {args: []string{"tree", "--default-scopes", " "}, code: exitUsage, stderr: "name at least one scope"},
		"no cluster":         {args: []string{"tree"}, code: exitFailed, stderr: "set --kubeconfig, KUBECONFIG or"},
		"no cluster either":  {args: []string{"guard", "check"}, code: exitFailed, stderr: "set --kubeconfig, KUBECONFIG or"},
		"arguments":          {args: []string{"tree", "shared"}, code: exitUsage, stderr: "unknown command"},
		"format of a tree":   {args: []string{"tree", "-o", "yaml"}, code: exitUsage, stderr: "-o must be wide or json"},
		"format of a check":  {args: []string{"guard", "check", "-o", "yaml"}, code: exitUsage, stderr: "-o must be text or json"},
		"no such context":    {args: []string{"tree", "--context", "elsewhere"}, code: exitFailed, stderr: `context "elsewhere" does not exist`},
		"no answer":          {args: []string{"tree", "--server", "https://127.0.0.1:1"}, code: exitFailed, stderr: "connection refused"},
		"quiet where silent": {args: []string{"lint", "-o", "github", "clean.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.stdin == nil {
				c.stdin = strings.NewReader("")
			}
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), c.args, c.stdin, &stdout, &stderr); code != c.code {
				t.Errorf("exit status %d, want %d; stderr: %s", code, c.code, &stderr)
			}
			if !strings.Contains(stdout.String(), c.stdout) || (c.stdout == "" && stdout.Len() > 0) {
				t.Errorf("want %q in stdout, got:\n%s", c.stdout, &stdout)
			}
			if !strings.Contains(stderr.String(), c.stderr) || (c.stderr == "" && stderr.Len() > 0 && c.args != nil && c.args[0] != "__complete") {
				t.Errorf("want %q in stderr, got:\n%s", c.stderr, &stderr)
			}
			if strings.Contains(stdout.String(), "\x1b") {
				t.Error("colors, but stdout is not a terminal")
			}
		})
	}
}

func TestBrokenOutput(t *testing.T) {
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"lint", "-"}, strings.NewReader(wrong), brokenPipe{}, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("exit status %d, stderr %q", code, stderr.String())
	}
}
