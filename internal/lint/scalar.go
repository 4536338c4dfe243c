package lint

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// oldBooleans are what kubectl takes for booleans beside true and false: it
// reads YAML 1.1.
var oldBooleans = map[string]bool{
	"y": true, "Y": true, "yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"n": false, "N": false, "no": false, "No": false, "NO": false, "off": false, "Off": false, "OFF": false,
}

// scalar returns the value of a node as it is after kubectl turned the YAML into
// JSON and the API server read that: nil, bool, string, int64 or float64.
func scalar(node *yaml.Node) (any, error) {
	plain := node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
	switch node.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		return boolean(node.Value)
	case "!!int":
		return integer(node.Value)
	case "!!float":
		return float(node.Value)
	case "!!binary":
		text, err := base64.StdEncoding.DecodeString(node.Value)
		if err != nil {
			return nil, fmt.Errorf("a !!binary value is not in base64")
		}
		return string(text), nil
	default:
		if value, ok := oldBooleans[node.Value]; ok && plain {
			return value, nil
		}
		return node.Value, nil
	}
}

func boolean(text string) (any, error) {
	if value, ok := oldBooleans[text]; ok {
		return value, nil
	}
	switch text {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	return nil, fmt.Errorf("%q is not a boolean", text)
}

func integer(text string) (any, error) {
	plain := strings.ReplaceAll(text, "_", "")
	if value, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return value, nil
	}
	if value, err := strconv.ParseUint(plain, 0, 64); err == nil {
		return float64(value), nil
	}
	return nil, fmt.Errorf("%q is not an integer", text)
}

// float returns an int64 where JSON would write the number without a fraction
// and without an exponent, since the API server then reads an integer.
func float(text string) (any, error) {
	value, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
		return nil, fmt.Errorf("JSON has no number %q", text)
	}
	written, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if whole, err := strconv.ParseInt(string(written), 10, 64); err == nil {
		return whole, nil
	}
	return value, nil
}
