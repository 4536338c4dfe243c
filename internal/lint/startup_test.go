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
					text, err := yaml.Marshal(c.Object(kind, "", "login").Object)
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
