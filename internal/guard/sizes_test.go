package guard_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"testing"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// The limits of what a reviewer can be expected to read.
const (
	maxAll        = 30_000
	maxExpression = 450
	// maxOptional is for an expression of the start-up policy, which few install.
	maxOptional = 600
)

// TestSizes bounds the files of the policies, without comments, and each expression.
func TestSizes(t *testing.T) {
	names, err := fs.Glob(config.Files, "guard/policies/*.yaml")
	expect.NoError(t, err)
	size := 0
	for _, name := range names {
		text, err := config.Files.ReadFile(name)
		expect.NoError(t, err)
		for line := range bytes.Lines(text) {
			if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
				size += len(line)
			}
		}
	}
	if size == 0 || size >= maxAll {
		t.Errorf("the policies have %d bytes, want less than %d", size, maxAll)
	}
	policies, err := guard.Policies(guard.ModeWarn, nil)
	expect.NoError(t, err)
	for _, policy := range policies {
		expressions := map[string]string{}
		for _, condition := range policy.Spec.MatchConditions {
			expressions["condition "+condition.Name] = condition.Expression
		}
		for _, variable := range policy.Spec.Variables {
			expressions["variable "+variable.Name] = variable.Expression
		}
		for i, validation := range policy.Spec.Validations {
			expressions[fmt.Sprint("validation ", i)], expressions[fmt.Sprint("message ", i)] = validation.Expression, validation.MessageExpression
		}
		limit := maxExpression
		if policy.Name == guard.StartUpPolicy {
			limit = maxOptional
		}
		for name, expression := range expressions {
			if len(expression) > limit {
				t.Errorf("%s of %s has %d characters, want at most %d", name, policy.Name, len(expression), limit)
			}
		}
	}
}
