package lint_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/lint"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/mistakes"
)

// TestStartUp lints every case in both kinds. A rule of the CRDs finds some of the
// mistakes, and the gate's function the others: each is reported once, with its
// field.
func TestStartUp(t *testing.T) {
	for name, c := range mistakes.Cases() {
		for kind, path := range mistakes.Kinds {
			for _, guard := range []bool{false, true} {
				t.Run(name+"/"+kind, func(t *testing.T) {
					text, err := yaml.Marshal(c.Object(t, kind, "", "login").Object)
					expect.NoError(t, err)
					var got, want []string
					for _, finding := range lintOne(t, string(text), lint.Options{Guard: guard}).Findings {
						if finding.Severity == lint.Error {
							got = append(got, finding.Field)
							static := strings.HasPrefix(finding.Rule, "rule/")
							if !static && finding.Rule != "start-up/refused" || static == (finding.Cause == "") {
								t.Errorf("got %+v", finding)
							}
						}
					}
					if c.Field != "" {
						want = []string{path + "." + c.Field}
					}
					expect.Equal(t, "fields of errors", want, got)
				})
			}
		}
	}
}

// TestStartUpText checks the place and the text of a finding.
func TestStartUpText(t *testing.T) {
	http := strings.Replace(configText, "https://auth.example.com", "http://auth.example.com", 1)
	found := lintOne(t, http, lint.Options{})
	expect.Equal(t, "places", []string{"f:7:13 start-up/refused", "f:8:27 baseline/not-referenced"}, places(found))
	expect.Equal(t, "text", `MCPExternalAuthConfig default/login: spec.embeddedAuthServer.issuer is "http://auth.example.com": it must be an https URL, or an http one on a loopback host`, found.Findings[0].Text())
	anonymous := "apiVersion: toolhive.stacklok.dev/v1beta1\nkind: VirtualMCPServer\nmetadata: {name: all}\nspec:\n  groupRef: {name: tools}\n  incomingAuth: {type: anonymous}\n" +
		"  authServerConfig: {issuer: 'http://auth.example.com', upstreamProviders: [{name: idp, type: oidc, oidcConfig: {issuerUrl: 'https://idp.example.com', clientId: a}}]}\n"
	if places := places(lintOne(t, anonymous, lint.Options{})); strings.Contains(strings.Join(places, " "), "start-up") {
		t.Errorf("it runs no auth server, but got %v", places)
	}
}
