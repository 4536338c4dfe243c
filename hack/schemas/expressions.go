package main

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"
	"google.golang.org/protobuf/proto"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/scopegate/scopegate/config"
)

// parsed returns the rules of a schema and of those below it, each with what it
// is parsed to.
func parsed(schema *apiextensionsv1.JSONSchemaProps) (map[string][]byte, error) {
	expressions, errs := map[string][]byte{}, []error(nil)
	config.EachSchema(schema, func(s *apiextensionsv1.JSONSchemaProps) {
		for _, rule := range s.XValidations {
			expression, err := parse(rule.Rule)
			if err != nil {
				errs = append(errs, fmt.Errorf("parsing the rule %q: %w", rule.Rule, err))
			}
			expressions[rule.Rule] = expression
		}
	})
	return expressions, errors.Join(errs...)
}

// parse returns the encoding of an expression without its source.
func parse(text string) ([]byte, error) {
	env := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).StoredExpressionsEnv()
	tree, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	message, err := cel.AstToParsedExpr(tree)
	if err != nil {
		return nil, err
	}
	message.SourceInfo = nil
	return proto.MarshalOptions{Deterministic: true}.Marshal(message)
}
