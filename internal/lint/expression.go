package lint

import (
	"sync"

	celgo "github.com/google/cel-go/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// expression is a CEL expression of a rule, without types and without a stored
// version of the object.
type expression struct{ program celgo.Program }

var environmentOfRules = sync.OnceValue(func() *celgo.Env {
	return environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).StoredExpressionsEnv()
})

// newExpression parses an expression. One that can't be parsed never holds, so
// that the API server's validator tells why.
func newExpression(text string) *expression {
	parsed, issues := environmentOfRules().Parse(text)
	if issues.Err() != nil {
		return &expression{}
	}
	program, err := environmentOfRules().Program(parsed)
	if err != nil {
		return &expression{}
	}
	return &expression{program}
}

// holds tells whether a rule holds for sure: on self alone, whatever the stored
// version is. oldSelf is not bound, so that an expression which depends on it has
// no value, and one such as self.x || oldSelf.y holds by its left side alone.
func (e *expression) holds(self any) bool {
	if e.program == nil {
		return false
	}
	value, _, err := e.program.Eval(map[string]any{"self": self})
	return err == nil && value.Value() == true
}
