package lint

import (
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"
)

// expression is a CEL expression of a rule, without types and without a stored
// version of the object.
type expression struct{ program cel.Program }

// functions has those of the API server's that expressions call.
var functions = sync.OnceValues(func() (*cel.Env, error) { return cel.NewEnv(cel.OptionalTypes(), ext.Sets()) })

// newExpression decodes a parsed expression. One that can't be decoded, or calls
// another function, never holds for sure.
func newExpression(parsed []byte) expression {
	message := &exprpb.ParsedExpr{}
	if err := proto.Unmarshal(parsed, message); err != nil {
		return expression{}
	}
	env, err := functions()
	if err != nil {
		return expression{}
	}
	program, err := env.Program(cel.ParsedExprToAst(message))
	if err != nil {
		return expression{}
	}
	return expression{program}
}

// holds tells whether a rule holds for sure: on self alone, whatever the stored
// version is. oldSelf is not bound, so that an expression which depends on it has
// no value, and one such as self.x || oldSelf.y holds by its left side alone.
func (e expression) holds(self any) bool {
	if e.program == nil {
		return false
	}
	value, _, err := e.program.Eval(map[string]any{"self": self})
	return err == nil && value.Value() == true
}
