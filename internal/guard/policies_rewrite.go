package guard

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/parser"
)

// lineLength at which a generated expression is wrapped.
const lineLength = 110

// rewriter turns an expression of a CRD's rule on a spec into one of a policy:
//
//	self                -> object.spec
//	oldSelf.hasValue()  -> oldObject != null && has(oldObject.spec)
//	oldSelf.value()     -> oldObject.spec
//
// A field that ToolHive's CRDs do not have is never there: has() of it is false,
// and what follows from that by !, && and || is worked out.
type rewriter struct {
	ast.ExprFactory
	absent string
	err    error
}

// rewrite returns the expression of a policy that says what rule says.
func rewrite(rule, absent string) (string, error) {
	// Without macros has(x), all(s, x) and the like are plain calls, so that there
	// is one tree to change and it prints as it was written.
	env, err := cel.NewEnv(cel.ClearMacros())
	if err != nil {
		return "", err
	}
	parsed, issues := env.Parse(rule)
	if issues.Err() != nil {
		return "", issues.Err()
	}
	tree := parsed.NativeRep()
	r := &rewriter{ExprFactory: ast.NewExprFactory(), absent: absent}
	rewritten := r.visit(tree.Expr())
	if r.err != nil {
		return "", r.err
	}
	text, err := parser.Unparse(rewritten, tree.SourceInfo(), parser.WrapOnColumn(lineLength), parser.WrapOnOperators(operators.LogicalOr, operators.LogicalAnd))
	if err != nil {
		return "", err
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n"), nil
}

func (r *rewriter) visit(e ast.Expr) ast.Expr {
	switch e.Kind() {
	case ast.LiteralKind:
		return e
	case ast.IdentKind:
		return r.ident(e)
	case ast.SelectKind:
		if e.AsSelect().FieldName() == r.absent {
			return r.fail("%s is read without has(): ToolHive's CRDs do not have it", r.absent)
		}
		return r.NewSelect(e.ID(), r.visit(e.AsSelect().Operand()), e.AsSelect().FieldName())
	case ast.ListKind:
		list := e.AsList()
		return r.NewList(e.ID(), r.visitAll(list.Elements()), list.OptionalIndices())
	case ast.CallKind:
		return r.call(e)
	default:
		return r.fail("no translation of an expression of kind %v", e.Kind())
	}
}

func (r *rewriter) visitAll(all []ast.Expr) []ast.Expr {
	visited := make([]ast.Expr, len(all))
	for i, e := range all {
		visited[i] = r.visit(e)
	}
	return visited
}

func (r *rewriter) ident(e ast.Expr) ast.Expr {
	switch e.AsIdent() {
	case "self":
		return r.specOf("object")
	case "oldSelf":
		return r.fail("oldSelf is used otherwise than by hasValue() and value()")
	default:
		return e
	}
}

func (r *rewriter) call(e ast.Expr) ast.Expr {
	call := e.AsCall()
	switch {
	case call.IsMemberFunction() && isIdent(call.Target(), "oldSelf") && call.FunctionName() == "hasValue":
		old := r.NewIdent(0, "oldObject")
		there := r.NewCall(0, operators.NotEquals, old, r.NewLiteral(0, types.NullValue))
		return r.NewCall(e.ID(), operators.LogicalAnd, there, r.NewCall(0, operators.Has, r.specOf("oldObject")))
	case call.IsMemberFunction() && isIdent(call.Target(), "oldSelf") && call.FunctionName() == "value":
		return r.specOf("oldObject")
	case call.IsMemberFunction():
		return r.NewMemberCall(e.ID(), call.FunctionName(), r.visit(call.Target()), r.visitAll(call.Args())...)
	case call.FunctionName() == operators.Has && call.Args()[0].Kind() == ast.SelectKind && call.Args()[0].AsSelect().FieldName() == r.absent:
		return r.NewLiteral(e.ID(), types.False)
	}
	return r.logic(e.ID(), call)
}

// logic works out !, && and || of what is known. A part that is known is left
// unread, since it may read the field that is not there.
func (r *rewriter) logic(id int64, call ast.CallExpr) ast.Expr {
	name, args := call.FunctionName(), call.Args()
	switch name {
	case operators.LogicalNot:
		arg := r.visit(args[0])
		if known, value := constant(arg); known {
			return r.NewLiteral(id, types.Bool(!value))
		}
		return r.NewCall(id, name, arg)
	case operators.LogicalAnd, operators.LogicalOr:
		// x && false is false, x || true is true; the other constant changes nothing.
		decides := name == operators.LogicalOr
		left := r.visit(args[0])
		if known, value := constant(left); known && value == decides {
			return left
		} else if known {
			return r.visit(args[1])
		}
		right := r.visit(args[1])
		if known, value := constant(right); known && value == decides {
			return right
		} else if known {
			return left
		}
		return r.NewCall(id, name, left, right)
	default:
		return r.NewCall(id, name, r.visitAll(args)...)
	}
}

func (r *rewriter) specOf(object string) ast.Expr {
	return r.NewSelect(0, r.NewIdent(0, object), "spec")
}

func (r *rewriter) fail(format string, args ...any) ast.Expr {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	return r.NewUnspecifiedExpr(0)
}

func isIdent(e ast.Expr, name string) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == name }

// constant tells whether e is a literal truth value, and which.
func constant(e ast.Expr) (known, value bool) {
	if e.Kind() != ast.LiteralKind {
		return false, false
	}
	truth, ok := e.AsLiteral().(types.Bool)
	return ok, bool(truth)
}
