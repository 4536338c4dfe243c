package lint_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/lint"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

const testdata = "../../test/testdata"

var update = flag.Bool("update", false, "rewrite the golden files")

// TestCorpus lints every case of the corpus in both versions. The causes must
// equal those of the API server, and the rule must be that of the folder.
func TestCorpus(t *testing.T) {
	cases := corpus.Cases(t, testdata)
	for _, c := range cases {
		text := expect.ReadFile(t, path.Join(testdata, c.Path))
		for _, version := range []string{"v1alpha1", "v1beta1"} {
			t.Run(c.Path+"/"+version, func(t *testing.T) {
				found := lintOne(t, strings.Replace(text, "v1beta1", version, 1), lint.Options{})
				var causes []metav1.StatusCause
				rules := map[string]bool{}
				for _, finding := range found.Findings {
					if finding.Cause != "" {
						causes = append(causes, metav1.StatusCause{Type: metav1.CauseType(finding.Cause), Field: finding.Field, Message: finding.Message})
						rules[finding.Rule] = true
					}
				}
				corpus.Sort(causes)
				expect.Equal(t, "causes", c.Causes, causes)
				if want := "rule/" + c.Rule; !c.Accept && !rules[want] {
					t.Errorf("want a finding of %s, got %v", want, slices.Sorted(maps.Keys(rules)))
				}
			})
		}
	}
}

// TestRules compares the catalogue with the rules of the CRDs: every rule, at any
// path, has an ID by its message, and no ID is left over.
func TestRules(t *testing.T) {
	schemas, err := corpus.Schemas()
	expect.NoError(t, err)
	ids := map[string]string{}
	for id, message := range lint.StaticRules {
		ids[message] = id
	}
	rules, used := 0, map[string]bool{}
	for _, s := range schemas {
		if len(schemas) != len(lint.KindNames) || !slices.Contains(lint.KindNames, s.Kind) {
			t.Errorf("the %d CRDs have %s, but %v are validated", len(schemas), s.Kind, lint.KindNames)
		}
		corpus.Walk(s.Structural, func(path string, at *schema.Structural) {
			for _, rule := range at.XValidations {
				rules++
				used[ids[rule.Message]] = true
				if ids[rule.Message] == "" {
					t.Errorf("%s %s: no id for the rule with the message %q", s.Kind, path, rule.Message)
				}
			}
		})
	}
	for _, rule := range lint.Rules() {
		if id, static := strings.CutPrefix(rule.ID, "rule/"); static && !used[id] {
			t.Errorf("no CRD has a rule with the message of %s", rule.ID)
		}
		if rule.About == "" || rule.Fix == "" || (rule.Severity != lint.Error && rule.Severity != lint.Warning) {
			t.Errorf("%s is not complete: %+v", rule.ID, rule)
		}
	}
	// Each of the two versions of a CRD has the same rules. A rule within an
	// allOf would have no ID.
	written := 0
	files, err := fs.Glob(config.Files, "crd/*.yaml")
	expect.NoError(t, err)
	for _, file := range files {
		text, err := config.Files.ReadFile(file)
		expect.NoError(t, err)
		written += strings.Count(string(text), " rule: ")
	}
	if written != 2*rules || rules == 0 {
		t.Errorf("%d rules have an id, but the CRDs have %d in two versions", rules, written)
	}
}

// TestDocumented compares docs/lint.md with the rules.
func TestDocumented(t *testing.T) {
	page := expect.ReadFile(t, "../../docs/lint.md")
	for _, rule := range lint.Rules() {
		if static := strings.HasPrefix(rule.ID, "rule/"); !static && !strings.Contains(page, "| `"+rule.ID+"` | "+string(rule.Severity)+" | "+rule.About+" |\n") {
			t.Errorf("docs/lint.md lacks the line:\n| `%s` | %s | %s |", rule.ID, rule.Severity, rule.About)
		}
	}
}

func lintOne(t *testing.T, text string, options lint.Options) lint.Report {
	t.Helper()
	found, err := lint.Lint(t.Context(), []lint.Source{{Name: "f", Text: []byte(text)}}, options)
	expect.NoError(t, err)
	return found
}

const (
	configText = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPExternalAuthConfig
metadata: {name: login}
spec:
  type: embeddedAuthServer
  embeddedAuthServer:
    issuer: https://auth.example.com
    baselineClientScopes: [openid, admin]
    upstreamProviders: [{name: idp, type: oidc, oidcConfig: {issuerUrl: https://idp.example.com, clientId: a}}]
---
`
	outgoingText = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPExternalAuthConfig
metadata: {name: outgoing}
spec: {type: unauthenticated}
---
`
	virtualText = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: VirtualMCPServer
metadata: {name: all}
spec:
  groupRef: {name: tools}
  incomingAuth: {type: oidc, oidcConfigRef: {name: tokens, audience: a, scopes: [openid]}}
  authServerConfig:
    issuer: https://auth.example.com
    baselineClientScopes: [openid, admin]
    upstreamProviders: [{name: idp, type: oidc, oidcConfig: {issuerUrl: https://idp.example.com, clientId: a}}]
---
`
	oidcText = `apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPOIDCConfig
metadata: {name: tokens}
spec: {type: inline, inline: {issuer: https://auth.example.com}}
---
`
)

func serverText(refs string) string {
	return "apiVersion: toolhive.stacklok.dev/v1beta1\nkind: MCPServer\nmetadata: {name: web}\nspec:\n  image: a\n" + refs + "---\n"
}

func TestAcrossObjects(t *testing.T) {
	supportedText := strings.Replace(configText, "issuer:", "scopesSupported: [openid, admin]\n    issuer:", 1)
	const (
		authRef = "  authServerRef: {name: login}\n"
		one     = "  oidcConfigRef: {name: tokens, audience: a, scopes: [openid]}\n"
		both    = "  oidcConfigRef: {name: tokens, audience: a, scopes: [openid, admin]}\n"
	)
	cases := map[string]struct {
		text    string
		options lint.Options
		want    []string
	}{
		"supported":            {configText + oidcText + serverText(authRef+both), lint.Options{}, nil},
		"not supported":        {configText + oidcText + serverText(authRef+one), lint.Options{}, []string{"f:8:36 baseline/not-supported"}},
		"consumer first":       {serverText(authRef+one) + oidcText + configText, lint.Options{}, []string{"f:21:36 baseline/not-supported"}},
		"by external ref":      {configText + oidcText + serverText("  externalAuthConfigRef: {name: login}\n"+one), lint.Options{}, []string{"f:8:36 baseline/not-supported"}},
		"another namespace":    {configText + oidcText + strings.Replace(serverText(authRef+one), "name: web", "name: web, namespace: other", 1), lint.Options{}, []string{"f:8:27 baseline/not-referenced", "f:21:25 reference/not-found", "f:22:25 reference/oidc-config-not-found"}},
		"named default":        {configText + oidcText + strings.Replace(serverText(authRef+one), "name: web", "name: web, namespace: default", 1), lint.Options{}, []string{"f:8:36 baseline/not-supported"}},
		"named by flag":        {configText + oidcText + strings.Replace(serverText(authRef+one), "name: web", "name: web, namespace: team", 1), lint.Options{Namespace: "team"}, []string{"f:8:36 baseline/not-supported"}},
		"config not found":     {oidcText + serverText(authRef+one), lint.Options{}, []string{"f:11:25 reference/not-found"}},
		"not referenced":       {configText, lint.Options{}, []string{"f:8:27 baseline/not-referenced"}},
		"of another type":      {outgoingText + oidcText + serverText("  authServerRef: {name: outgoing}\n"+one), lint.Options{}, []string{"f:16:25 reference/wrong-type"}},
		"outgoing":             {outgoingText + serverText("  externalAuthConfigRef: {name: outgoing}\n"), lint.Options{}, nil},
		"outgoing, first":      {outgoingText + configText + oidcText + serverText("  authServerRef: {name: outgoing}\n  externalAuthConfigRef: {name: login}\n"+one), lint.Options{Guard: true}, []string{"f:26:25 reference/wrong-type"}},
		"conflict":             {configText + oidcText + serverText(authRef+"  externalAuthConfigRef: {name: login}\n"+both), lint.Options{}, []string{"f:22:33 reference/conflict"}},
		"conflict, and bad":    {configText + oidcText + serverText(authRef+"  externalAuthConfigRef: {name: login}\n"+one), lint.Options{}, []string{"f:8:36 baseline/not-supported", "f:22:33 reference/conflict"}},
		"other is elsewhere":   {configText + oidcText + serverText(authRef+"  externalAuthConfigRef: {name: gone}\n"+one), lint.Options{}, []string{"f:8:36 baseline/not-supported", "f:22:33 reference/not-found"}},
		"no oidcConfigRef":     {configText + serverText(authRef), lint.Options{}, []string{"f:14:1 reference/oidc-config-required"}},
		"MCPOIDCConfig absent": {configText + serverText(authRef+both), lint.Options{}, []string{"f:17:25 reference/oidc-config-not-found"}},
		"no auth server":       {serverText(one), lint.Options{}, nil},
		"broken config":        {strings.Replace(configText, "issuer: https://auth.example.com", "issuer: 5", 1) + oidcText + serverText(authRef+one), lint.Options{}, []string{"f:1:1 schema/not-checked", "f:7:13 schema/type"}},
		"not a type":           {strings.Replace(configText, "type: embeddedAuthServer", "type: embedded", 1), lint.Options{}, []string{"f:1:1 schema/not-checked", "f:5:9 schema/enum"}},
		"too long":             {strings.Replace(configText, "openid, admin", "a, b, c, d, e, f, g, h, i, j, k", 1) + oidcText + serverText(authRef+one), lint.Options{}, []string{"f:1:1 schema/not-checked", "f:8:27 schema/bounds"}},
		"refused already":      {strings.Replace(configText, "issuer:", "scopesSupported: [openid]\n    issuer:", 1) + oidcText + serverText(authRef+one), lint.Options{}, []string{"f:9:36 rule/baseline-in-scopes-supported"}},
		"supported by config":  {supportedText + oidcText + serverText(authRef+one), lint.Options{}, nil},
		"beside the guard":     {supportedText + oidcText + serverText(authRef+one), lint.Options{Guard: true}, []string{"f:7:5 schema/unknown-field", "f:9:36 baseline/not-supported"}},
		"a long scope":         {strings.Replace(configText, "admin", strings.Repeat("a", 1000), 1) + oidcText + serverText(authRef+one), lint.Options{}, []string{"f:1:1 schema/not-checked", "f:8:36 schema/bounds"}},
		"no apiVersion":        {"kind: MCPServer\nmetadata: {name: web}\n", lint.Options{}, []string{"f:1:1 schema/required"}},
		"similar group":        {"apiVersion: toolhive.stacklok.io/v1\nkind: MCPServer\n", lint.Options{}, []string{"f:1:13 schema/unknown-group"}},
		"another group":        {"apiVersion: example.com/v1\nkind: MCPServer\n", lint.Options{}, []string{"f:1:1 input/nothing-validated"}},
		"the first of two":     {strings.Replace(configText, "[openid, admin]", `["admin", 'root']`, 1) + oidcText + serverText(authRef+one), lint.Options{}, []string{"f:8:28 baseline/not-supported"}},
		"inline, the guard":    {strings.Replace(virtualText, "issuer:", "scopesSupported: [openid, admin]\n    issuer:", 1) + oidcText, lint.Options{Guard: true}, []string{"f:8:5 schema/unknown-field", "f:10:36 rule/baseline-in-advertised-scopes"}},
		"anonymous":            {strings.Replace(virtualText, "{type: oidc, oidcConfigRef: {name: tokens, audience: a, scopes: [openid]}}", "{type: anonymous}", 1), lint.Options{}, []string{"f:6:24 reference/oidc-config-required"}},
		"http issuer":          {strings.Replace(configText, "https://auth", "http://auth", 1), lint.Options{}, []string{"f:7:13 start-up/refused", "f:8:27 baseline/not-referenced"}},
		"http, anonymous":      {strings.NewReplacer("https://auth", "http://auth", "{type: oidc, oidcConfigRef: {name: tokens, audience: a, scopes: [openid]}}", "{type: anonymous}", "[openid, admin]", "[]").Replace(virtualText), lint.Options{}, nil},
		"each counts":          {strings.Replace(configText, ", admin", "", 1) + configText + oidcText + serverText(authRef+one), lint.Options{}, []string{"f:13:18 object/duplicate", "f:18:36 baseline/not-supported"}},
	}
	found := map[string]lint.Report{}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			found[name] = lintOne(t, c.text, c.options)
			expect.Equal(t, "findings", c.want, places(found[name]))
		})
	}
	golden(t, len(cases), found)
}

// golden compares what was found in each case, messages included, with the test's golden
// file. -run may have left cases out.
func golden(t *testing.T, cases int, found map[string]lint.Report) {
	t.Helper()
	if len(found) < cases {
		return
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(found)) {
		fmt.Fprintf(&text, "%s:\n", name)
		for _, finding := range found[name].Findings {
			fmt.Fprintf(&text, "  %s: %s\n    %s\n    %s\n", finding.Rule, finding.Message, finding.Fix, finding.Source)
		}
	}
	expect.Golden(t, *update, path.Join("testdata", t.Name()+".txt"), text.String())
}

func TestOld(t *testing.T) {
	virtual := virtualText + oidcText
	const one, two = "clientId: a}}]", "clientId: a}}, {name: idp, type: oidc, oidcConfig: {issuerUrl: https://idp.example.com, clientId: b}}]"
	cases := map[string]struct {
		from, to string
		old      string
		want     []string
	}{
		"created":                   {"", "", "", []string{"f:9:36 rule/baseline-in-advertised-scopes"}},
		"another is stored":         {"", "", strings.Replace(virtual, "name: all", "name: other", 1), []string{"f:9:36 rule/baseline-in-advertised-scopes"}},
		"the last of two is stored": {"", "", strings.Replace(virtual, "[openid, admin]", "[openid]", 1) + virtual, []string{"f:9:36 baseline/not-supported"}},
		"unchanged":                 {"", "", virtual, []string{"f:9:36 baseline/not-supported"}},
		"stored in another group":   {"", "", strings.ReplaceAll(virtual, "toolhive.stacklok.dev", "example.com"), []string{"f:9:36 rule/baseline-in-advertised-scopes"}},
		"stored as v1alpha1":        {"", "", strings.ReplaceAll(virtual, "v1beta1", "v1alpha1"), []string{"f:9:36 baseline/not-supported"}},
		"a label":                   {"name: all", "name: all, labels: {a: b}", virtual, []string{"f:9:36 baseline/not-supported"}},
		"another field":             {"groupRef:", "replicas: 2\n  groupRef:", virtual, []string{"f:10:36 baseline/not-supported"}},
		"the baseline":              {"[openid, admin]", "[openid, admin, root]", virtual, []string{"f:9:36 rule/baseline-in-advertised-scopes"}},
		"two of a name":             {one, two, virtual, []string{"f:9:36 baseline/not-supported", "f:10:113 schema/duplicate-item"}},
		"two of a name were stored": {one, two, strings.Replace(virtual, one, two, 1), []string{"f:9:36 baseline/not-supported"}},
		"another wrong":             {"name: all", "name: all, labels: {-: b}", virtual, []string{"f:3:31 schema/metadata", "f:9:36 baseline/not-supported"}},
		"malformed old":             {"", "", strings.Replace(virtual, "name: all", "name: all, labels: {a: 1}", 1), []string{"f:9:36 rule/baseline-in-advertised-scopes"}},
		"broken old":                {"", "", "a: [", []string{"f:9:36 rule/baseline-in-advertised-scopes", "old:1:1 parse/syntax"}},
	}
	found := map[string]lint.Report{}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			found[name] = lintOne(t, strings.Replace(virtual, c.from, c.to, 1), lint.Options{Old: []lint.Source{{Name: "old", Text: []byte(c.old)}}})
			expect.Equal(t, "findings", c.want, places(found[name]))
		})
	}
	golden(t, len(cases), found)
	// Both are in the namespace of the flag.
	stored := []lint.Source{{Name: "old", Text: []byte(virtual)}}
	expect.Equal(t, "another namespace", []string{"f:9:36 baseline/not-supported"}, places(lintOne(t, virtual, lint.Options{Namespace: "team", Old: stored})))
}
