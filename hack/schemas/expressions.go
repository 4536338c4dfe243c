package main

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"google.golang.org/protobuf/proto"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiserver/pkg/cel/environment"
)

// addParsed adds the rules of a schema and of those below it, each with what it
// is parsed to.
func addParsed(expressions map[string][]byte, schema *apiextensionsv1.JSONSchemaProps) error {
	for _, rule := range schema.XValidations {
		parsed, err := parse(rule.Rule)
		if err != nil {
			return fmt.Errorf("parsing the rule %q: %w", rule.Rule, err)
		}
		expressions[rule.Rule] = parsed
	}
	for _, property := range schema.Properties {
		if err := addParsed(expressions, &property); err != nil {
			return err
		}
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		if err := addParsed(expressions, schema.Items.Schema); err != nil {
			return err
		}
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		return addParsed(expressions, schema.AdditionalProperties.Schema)
	}
	return nil
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
