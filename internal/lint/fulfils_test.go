package lint_test

import (
	"slices"
	"testing"

	"github.com/scopegate/scopegate/internal/lint"
)

// Schemas and values: those that fulfils decides, and those that it leaves to the
// API server's validator.
var (
	decidedSchemas = []string{
		`{"type":"string"}`, `{"type":"integer"}`, `{"type":"number"}`, `{"type":"boolean"}`, `{"type":"object"}`, `{"type":"string","nullable":true}`,
		`{"type":"string","enum":["a","b"]}`, `{"type":"string","minLength":2}`, `{"type":"string","maxLength":1}`, `{"type":"string","pattern":"^a+$"}`,
		`{"type":"integer","minimum":2}`, `{"type":"integer","maximum":1}`, `{"type":"integer","format":"int32"}`, `{"type":"integer","format":"int64"}`, `{"type":"number","minimum":2}`,
		`{"type":"array","items":{"type":"string"}}`, `{"type":"array","items":{"type":"string","maxLength":1}}`,
		`{"type":"array","items":{"type":"string"},"minItems":1}`, `{"type":"array","items":{"type":"string"},"maxItems":1}`,
		`{"type":"array","items":{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}}`,
		`{"type":"object","properties":{"a":{"type":"string","maxLength":1},"b":{"type":"integer"}}}`,
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`, `{"type":"object","minProperties":1}`, `{"type":"object","maxProperties":1}`,
		`{"type":"object","additionalProperties":{"type":"string"}}`, `{"type":"object","x-kubernetes-preserve-unknown-fields":true}`,
	}
	otherSchemas = []string{
		`{"type":"string","format":"date-time"}`, `{"type":"string","format":"uuid"}`, `{"type":"string","nullable":true,"enum":["a"]}`,
		`{"type":"integer","minimum":2,"exclusiveMinimum":true}`, `{"type":"integer","maximum":2,"exclusiveMaximum":true}`,
		`{"type":"integer","multipleOf":2}`, `{"type":"integer","enum":[1,2]}`, `{"type":"integer","maximum":9007199254740993}`,
		`{"type":"number","format":"double"}`, `{"type":"boolean","enum":[true]}`, `{"type":"array","items":{"type":"string"},"uniqueItems":true}`,
		`{"type":"object","additionalProperties":true}`, `{"x-kubernetes-preserve-unknown-fields":true}`, `{"x-kubernetes-int-or-string":true}`,
		`{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true}`,
		`{"type":"string","not":{"enum":["a"]}}`, `{"type":"string","anyOf":[{"minLength":2},{"pattern":"^a$"}]}`,
		`{"type":"string","allOf":[{"minLength":2}]}`, `{"type":"string","oneOf":[{"minLength":1},{"maxLength":1}]}`,
	}
	decidedValues = []string{
		`null`, `true`, `false`, `0`, `1`, `2`, `3`, `-1`, `2147483648`, `""`, `"a"`, `"b"`, `"aa"`, `"é"`, `"éé"`, `"c"`, `"2026-01-02T03:04:05Z"`,
		`[]`, `["a"]`, `["a","a"]`, `["aa"]`, `[1]`, `[null]`, `[{"a":"b"}]`, `[{}]`, `[["a"]]`,
		`{}`, `{"a":"b"}`, `{"a":"bb"}`, `{"a":1}`, `{"a":null}`, `{"b":1}`, `{"b":"a"}`, `{"a":"b","b":2}`, `{"c":"d"}`, `{"c":[]}`,
	}
	otherValues = []string{`1.5`, `2.0`, `9007199254740993`, `9007199254740995`, `9223372036854775807`}
)

// TestFulfils compares what fulfils a schema for sure with the API server's
// validator: it must find nothing wrong there, and something where a value and a
// schema are such that fulfils decides.
func TestFulfils(t *testing.T) {
	for _, schema := range slices.Concat(decidedSchemas, otherSchemas) {
		for _, value := range slices.Concat(decidedValues, otherValues) {
			sure, errs, err := lint.Fulfils(schema, value)
			decided := slices.Contains(decidedSchemas, schema) && slices.Contains(decidedValues, value)
			switch {
			case err != nil:
				t.Fatalf("%s: %v", schema, err)
			case sure && len(errs) > 0:
				t.Errorf("%s fulfils %s for sure, but the API server says: %v", value, schema, errs)
			case decided && !sure && len(errs) == 0:
				t.Errorf("%s fulfils %s, but not for sure", value, schema)
			}
		}
	}
}
