package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// The objects of the inputs, without findings unless a test changes them.
const (
	configText = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPExternalAuthConfig
metadata: {name: login}
spec:
  type: embeddedAuthServer
  embeddedAuthServer:
    issuer: https://auth.example.com
    baselineClientScopes: [openid]
    upstreamProviders: [{name: corp, type: oidc, oidcConfig: {issuerUrl: https://corp.example.com, clientId: a, scopes: [groups]}}]
---
`
	tokensText = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPOIDCConfig
metadata: {name: tokens}
spec: {type: inline, inline: {issuer: https://auth.example.com}}
---
`
	serverText = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPServer
metadata: {name: web}
spec:
  image: example.com/web:1
  authServerRef: {name: login}
  oidcConfigRef: {name: tokens, audience: a, scopes: [openid]}
---
`
	virtualText = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: VirtualMCPServer
metadata: {generateName: web-}
spec:
  groupRef: {name: tools}
  incomingAuth: {type: oidc, oidcConfigRef: {name: tokens, audience: a, scopes: [openid]}}
  authServerConfig:
    issuer: https://auth.example.com
    baselineClientScopes: [openid, groups]
    upstreamProviders: [{name: corp, type: oidc, oidcConfig: {issuerUrl: https://corp.example.com, clientId: a, scopes: [groups]}}]
---
`
	podText = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
	ofGroup = "apiVersion: toolhive.stacklok.dev/v1beta1\n"
)

// with replaces parts of a text, given as pairs.
func with(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }

// listOf returns a List of objects.
func listOf(objects ...string) string {
	list := "apiVersion: v1\nkind: List\nitems:\n"
	for _, object := range objects {
		list += "- " + strings.ReplaceAll(strings.TrimSuffix(object, "\n---\n"), "\n", "\n  ") + "\n"
	}
	return list
}

// files is an input: texts by file names.
type files map[string]string

// expected is what lint makes of an input.
type expected struct {
	input files
	args  []string
	// findings are their places, rules and severities.
	findings []string
	code     int
}

// inputs are what people have in their folders.
func inputs() map[string]expected {
	groups := with(configText, "[openid]", "[openid, groups]")
	bad, good := groups+tokensText+serverText, configText+tokensText+serverText
	nothing := "f.yaml:1:1 input/nothing-validated warning"
	return map[string]expected{
		"right": {files{"f.yaml": good}, nil, nil, exitClean},
		"wrong": {files{"f.yaml": bad}, nil, []string{"f.yaml:8:36 baseline/not-supported error"}, exitFindings},

		"scope of the provider":          {files{"f.yaml": bad}, nil, []string{"f.yaml:8:36 baseline/not-supported error"}, exitFindings},
		"scope of the provider, inline":  {files{"f.yaml": with(virtualText, "generateName: web-", "name: web") + tokensText}, nil, []string{"f.yaml:9:36 rule/baseline-in-advertised-scopes error"}, exitFindings},
		"scope of one provider of two":   {files{"f.yaml": listOf(virtualText, with(virtualText, "scopes: [groups]", "scopes: [email]"), tokensText)}, nil, []string{"f.yaml:12:38 rule/baseline-in-advertised-scopes error", "f.yaml:22:38 rule/baseline-in-advertised-scopes error"}, exitFindings},
		"scope of the provider, and own": {files{"f.yaml": with(bad, "scopes: [openid]", "scopes: [openid, groups]")}, nil, nil, exitClean},

		"two clusters, the bad one first":  {files{"a/f.yaml": bad, "b/f.yaml": good}, nil, []string{"a/f.yaml:8:36 baseline/not-supported error", "b/f.yaml:3:18 object/duplicate warning", "b/f.yaml:13:18 object/duplicate warning", "b/f.yaml:18:18 object/duplicate warning"}, exitFindings},
		"two clusters, the bad one last":   {files{"a/f.yaml": good, "b/f.yaml": bad}, nil, []string{"b/f.yaml:3:18 object/duplicate warning", "b/f.yaml:8:36 baseline/not-supported error", "b/f.yaml:13:18 object/duplicate warning", "b/f.yaml:18:18 object/duplicate warning"}, exitFindings},
		"two clusters, each right":         {files{"a/f.yaml": with(bad, "scopes: [openid]", "scopes: [openid, groups]"), "b/f.yaml": good}, nil, []string{"b/f.yaml:3:18 object/duplicate warning", "b/f.yaml:13:18 object/duplicate warning", "b/f.yaml:18:18 object/duplicate warning"}, exitClean},
		"two clusters, in several files":   {files{"a/auth/c.yaml": groups, "a/web/s.yaml": tokensText + serverText, "b/auth/c.yaml": configText, "b/web/s.yaml": tokensText + serverText}, nil, []string{"a/auth/c.yaml:8:36 baseline/not-supported error", "b/auth/c.yaml:3:18 object/duplicate warning", "b/web/s.yaml:3:18 object/duplicate warning", "b/web/s.yaml:8:18 object/duplicate warning"}, exitFindings},
		"a conflict copy, bad":             {files{"c (copy).yaml": groups, "c.yaml": configText, "s.yaml": tokensText + serverText}, nil, []string{"c (copy).yaml:8:36 baseline/not-supported error", "c.yaml:3:18 object/duplicate warning"}, exitFindings},
		"a bad copy in another folder":     {files{"app/c.yaml": configText, "app/s.yaml": tokensText + serverText, "backup/c.yaml": groups}, nil, []string{"backup/c.yaml:3:18 object/duplicate warning", "backup/c.yaml:8:36 baseline/not-supported error"}, exitFindings},
		"a consumer twice, one unlike":     {files{"a.yaml": groups + tokensText + with(serverText, "[openid]", "[openid, groups]"), "b.yaml": serverText}, nil, []string{"a.yaml:8:36 baseline/not-supported error", "b.yaml:3:18 object/duplicate warning"}, exitFindings},
		"the same name, by two namespaces": {files{"f.yaml": bad + with(good, "{name: login}\nspec", "{name: login, namespace: b}\nspec", "{name: web}", "{name: web, namespace: b}", "{name: tokens}\nspec", "{name: tokens, namespace: b}\nspec")}, nil, []string{"f.yaml:8:36 baseline/not-supported error"}, exitFindings},

		"a Deployment alone":              {files{"f.yaml": with(podText, "v1", "apps/v1", "Pod", "Deployment")}, nil, []string{nothing}, exitClean},
		"a Deployment alone, strict":      {files{"f.yaml": with(podText, "v1", "apps/v1", "Pod", "Deployment")}, []string{"--strict"}, []string{"f.yaml:1:1 input/nothing-validated error"}, exitFindings},
		"a HelmRelease alone":             {files{"f.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\n"}, nil, []string{nothing}, exitClean},
		"an ApplicationSet alone":         {files{"f.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: a}\nspec: {template: {metadata: {name: '{{name}}'}}}\n"}, nil, []string{nothing}, exitClean},
		"values of a chart alone":         {files{"f.yaml": "image: a\nreplicas: 1\n"}, nil, []string{nothing}, exitClean},
		"a Deployment beside":             {files{"a.yaml": podText, "f.yaml": good}, nil, nil, exitClean},
		"another kind of ToolHive beside": {files{"a.yaml": ofGroup + "kind: MCPToolConfig\nmetadata: {name: a}\n", "f.yaml": good}, []string{"--strict"}, nil, exitClean},

		"a JSON array":            {files{"f.json": `[{"apiVersion": "v1", "kind": "Pod"}]`}, nil, []string{"f.json:1:1 parse/not-an-object error"}, exitFindings},
		"a scalar":                {files{"f.yaml": "just words\n"}, nil, []string{"f.yaml:1:1 parse/not-an-object error"}, exitFindings},
		"a scalar before objects": {files{"f.yaml": "Pulled: chart\n---\nwarning\n---\n" + good}, nil, []string{"f.yaml:3:1 parse/not-an-object error"}, exitFindings},
		"a List of words":         {files{"f.yaml": "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod}, word]\n"}, nil, []string{"f.yaml:3:38 parse/not-an-object error"}, exitFindings},
		"no kind":                 {files{"f.yaml": with(serverText, "kind: MCPServer\n", "")}, nil, []string{"f.yaml:1:1 schema/required error"}, exitFindings},
		"Kind":                    {files{"f.yaml": with(serverText, "kind:", "Kind:")}, nil, []string{"f.yaml:2:1 schema/required error"}, exitFindings},
		"an empty kind":           {files{"f.yaml": with(serverText, "kind: MCPServer", "kind:")}, nil, []string{"f.yaml:2:6 schema/required error"}, exitFindings},
		"no apiVersion":           {files{"f.yaml": with(serverText, ofGroup, "")}, nil, []string{"f.yaml:1:1 schema/required error"}, exitFindings},
		"ApiVersion":              {files{"f.yaml": with(serverText, "apiVersion", "ApiVersion")}, nil, []string{"f.yaml:1:1 schema/required error"}, exitFindings},
		"an abbreviated kind":     {files{"f.yaml": ofGroup + "kind: VMCPServer\n"}, nil, []string{"f.yaml:2:7 schema/unknown-kind warning"}, exitClean},
		"another abbreviation":    {files{"f.yaml": ofGroup + "kind: MCPAuthConfig\n"}, nil, []string{"f.yaml:2:7 schema/unknown-kind warning"}, exitClean},
		"a kind without its case": {files{"f.yaml": ofGroup + "kind: mcpserver\n"}, nil, []string{"f.yaml:2:7 schema/unknown-kind warning"}, exitClean},
		"a kind that is unlike":   {files{"f.yaml": ofGroup + "kind: Frobnicator\n"}, []string{"--strict"}, []string{"f.yaml:2:7 schema/unknown-kind error"}, exitFindings},

		"a template that YAML rejects": {files{"f.yaml": "a: b\n{{- if .Values.on }}\nc: d\n{{- end }}\n"}, nil, []string{"f.yaml:2:1 parse/syntax error"}, exitFindings},
		"a template as a value":        {files{"f.yaml": with(serverText, "example.com/web:1", "{{ .Values.image }}")}, nil, []string{"f.yaml:5:11 parse/syntax error"}, exitFindings},
		"a template in quotes":         {files{"f.yaml": with(good, "https://auth.example.com\n    base", "'{{ .Values.issuer }}'\n    base")}, nil, []string{"f.yaml:7:13 schema/invalid error"}, exitFindings},
		"a variable":                   {files{"f.yaml": with(good, "https://auth.example.com\n    base", "${ISSUER}\n    base")}, nil, []string{"f.yaml:7:13 schema/invalid error"}, exitFindings},
		"a variable as a number":       {files{"f.yaml": with(good, "image: example.com/web:1", "image: a\n  proxyPort: ${PORT}")}, nil, []string{"f.yaml:8:27 baseline/not-referenced warning", "f.yaml:16:1 schema/not-checked warning", "f.yaml:21:14 schema/type error"}, exitFindings},
		"a variable as a scope":        {files{"f.yaml": with(good, "Scopes: [openid]", "Scopes: ['${SCOPE}']")}, nil, []string{"f.yaml:8:28 baseline/not-supported error"}, exitFindings},
		"a file of SOPS":               {files{"f.yaml": with(serverText, "example.com/web:1", "ENC[AES256_GCM,data:a]", "---\n", "") + "sops: {mac: a}\n"}, nil, []string{"f.yaml:6:25 reference/not-found warning", "f.yaml:7:25 reference/oidc-config-not-found warning", "f.yaml:8:1 schema/unknown-field error"}, exitFindings},
		"a patch":                      {files{"patch.yaml": ofGroup + "kind: MCPServer\nmetadata: {name: web}\nspec:\n  proxyPort: 80\n"}, nil, []string{"patch.yaml:1:1 schema/not-checked warning", "patch.yaml:4:1 schema/required error"}, exitFindings},
		"a patch beside its object":    {files{"base.yaml": serverText, "prod.yaml": ofGroup + "kind: MCPServer\nmetadata: {name: web}\nspec:\n  proxyPort: 80\n"}, nil, []string{"base.yaml:6:25 reference/not-found warning", "base.yaml:7:25 reference/oidc-config-not-found warning", "prod.yaml:1:1 schema/not-checked warning", "prod.yaml:3:18 object/duplicate warning", "prod.yaml:4:1 schema/required error"}, exitFindings},
		"a field below a list":         {files{"f.yaml": with(good, "clientId", "clientID")}, nil, []string{"f.yaml:9:50 rule/oauth2-client-id-or-dcr error", "f.yaml:9:100 schema/unknown-field error"}, exitFindings},
		"a patch of JSON":              {files{"f.yaml": "- op: replace\n  path: /spec/image\n  value: a\n"}, nil, []string{"f.yaml:1:1 parse/not-an-object error"}, exitFindings},

		"Latin-1":             {files{"f.yaml": good + strings.Repeat("# line\n", 9) + "a: b\nc: M\xfcller\n"}, nil, []string{"f.yaml:34:5 parse/syntax error"}, exitFindings},
		"a comment alone":     {files{"f.yaml": "# a: b\n"}, nil, []string{"f.yaml:1:1 input/nothing-validated warning"}, exitClean},
		"a control character": {files{"f.yaml": "a: b\nc: d\x01e\n"}, nil, []string{"f.yaml:2:5 parse/syntax error"}, exitFindings},
		"another one":         {files{"f.yaml": "a: b\nc: d\u009be\n"}, nil, []string{"f.yaml:2:5 parse/syntax error"}, exitFindings},
		"a tab":               {files{"f.yaml": "a:\n  b: c\n\td: e\n"}, nil, []string{"f.yaml:3:1 parse/syntax error"}, exitFindings},
		"a tab, in line 1":    {files{"f.yaml": "\ta: b\n"}, nil, []string{"f.yaml:1:1 parse/syntax error"}, exitFindings},
		"a wrong indent":      {files{"f.yaml": "a:\n    b: c\n  d: e\n"}, nil, []string{"f.yaml:3:1 parse/syntax error"}, exitFindings},
		"an open bracket":     {files{"f.yaml": "a: b\nc: [d\ne: f\n"}, nil, []string{"f.yaml:2:1 parse/syntax error"}, exitFindings},
		"an open quote":       {files{"f.yaml": "a: b\nc: \"d\ne: f\n"}, nil, []string{"f.yaml:2:1 parse/syntax error"}, exitFindings},
		"an unknown anchor":   {files{"f.yaml": "a: b\nc: *d\n"}, nil, []string{"f.yaml:2:1 parse/syntax error"}, exitFindings},

		"generateName":               {files{"f.yaml": virtualText + tokensText}, []string{"--old", "f.yaml"}, []string{"f.yaml:9:36 rule/baseline-in-advertised-scopes error"}, exitFindings},
		"generateName, by reference": {files{"f.yaml": groups + tokensText + with(serverText, "{name: web}", "{generateName: web-}") + with(serverText, "{name: web}", "{generateName: web-}")}, nil, []string{"f.yaml:8:36 baseline/not-supported error"}, exitFindings},

		"deep lists":        {files{"f.yaml": strings.Repeat("[", 100_000)}, nil, []string{"f.yaml:1:1 parse/limit error"}, exitFindings},
		"deep lists, block": {files{"f.yaml": strings.Repeat("- ", 100_000) + "a\n"}, nil, []string{"f.yaml:1:1 parse/limit error"}, exitFindings},

		"no manifest": {files{"readme.md": ""}, nil, nil, exitFailed},
	}
}

// TestInputs runs lint on every input, in JSON and in SARIF. The golden file has what it says.
func TestInputs(t *testing.T) {
	golden, err := filepath.Abs("testdata/inputs.txt")
	expect.NoError(t, err)
	all := inputs()
	var texts strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for file, text := range c.input {
				expect.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
				expect.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			}
			args := append([]string{"lint", "-R", "-f", ".", "-o", "json"}, c.args...)
			var out, stderr bytes.Buffer
			if code := run(t.Context(), args, strings.NewReader(""), &out, &stderr); code != c.code {
				t.Errorf("exit status %d, want %d; stderr: %s", code, c.code, &stderr)
			}
			var report struct {
				Error    string
				Findings []struct {
					File, Rule, Severity, Message, Note string
					Line, Column                        int
					Object                              *struct{ Kind, Namespace, Name string }
				}
			}
			expect.NoError(t, json.Unmarshal(out.Bytes(), &report))
			var got []string
			said := report.Error
			for _, found := range report.Findings {
				got = append(got, fmt.Sprintf("%s:%d:%d %s %s", found.File, found.Line, found.Column, found.Rule, found.Severity))
				if found.Object != nil {
					said += found.Object.Kind + " " + found.Object.Namespace + "/" + found.Object.Name + ": "
				}
				said += found.Message + "; " + found.Note + "\n"
			}
			expect.Equal(t, "findings", c.findings, got)
			expect.Equal(t, "in SARIF", got, inSARIF(t, c))
			fmt.Fprintf(&texts, "%s:\n%s\n", name, said)
		})
	}
	expect.Golden(t, *update, golden, texts.String())
}

// inSARIF returns the findings of a report in SARIF.
func inSARIF(t *testing.T, c expected) (found []string) {
	t.Helper()
	var out, stderr bytes.Buffer
	run(t.Context(), append([]string{"lint", "-R", "-f", ".", "-o", "sarif"}, c.args...), strings.NewReader(""), &out, &stderr)
	report, err := sarif.FromBytes(out.Bytes())
	expect.NoError(t, err)
	for _, result := range report.Runs[0].Results {
		place := result.Locations[0].PhysicalLocation
		file, err := url.PathUnescape(*place.ArtifactLocation.URI)
		expect.NoError(t, err)
		found = append(found, fmt.Sprintf("%s:%d:%d %s %s", file, *place.Region.StartLine, *place.Region.StartColumn, *result.RuleID, result.Level))
	}
	return found
}
