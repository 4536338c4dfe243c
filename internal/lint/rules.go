package lint

import (
	"maps"
	"slices"
	"strings"
)

// Rule is a kind of finding. IDs are API and do not change.
type Rule struct {
	ID       string
	Severity Severity
	// About describes when the rule reports a finding.
	About string
	// Fix is the advice for findings without their own.
	Fix string
}

// rulesByID has all rules.
var rulesByID = map[string]*Rule{}

func define(id string, severity Severity, about, fix string) *Rule {
	rulesByID[id] = &Rule{id, severity, about, fix}
	return rulesByID[id]
}

// The rules other than the static ones.
var (
	ruleSyntax        = define("parse/syntax", Error, "The text is not YAML or JSON.", "Correct the syntax. Render templates first.")
	ruleLimit         = define("parse/limit", Error, "The text exceeds a limit on size, depth or aliases.", "Split the text, or replace its aliases by their values.")
	ruleNotObject     = define("parse/not-an-object", Error, "A document is neither an object nor a list of kind List, so kubectl rejects it.", "Move what is not an object into a file that kubectl does not read.")
	ruleNothing       = define("input/nothing-validated", Warning, "The input has no object of a kind that is validated.", "Render charts and other sources first, or name the files that have the objects.")
	ruleUnknownField  = define("schema/unknown-field", Error, "The schema has no such field. Strict field validation rejects it; otherwise the API server drops it silently.", "Correct the name of the field, or remove it.")
	ruleDuplicateKey  = define("schema/duplicate-field", Error, "A field is set twice. Strict field validation rejects it; otherwise the last value counts.", "Remove one of the two.")
	ruleRequired      = define("schema/required", Error, "A required field is missing.", "Set the field.")
	ruleType          = define("schema/type", Error, "A value has the wrong type.", "Use a value of the type in the message; quote strings.")
	ruleEnum          = define("schema/enum", Error, "A value is not one of the allowed values.", "Use one of the values in the message.")
	ruleBounds        = define("schema/bounds", Error, "A value or a list is too long.", "Shorten it to the limit in the message.")
	ruleInvalid       = define("schema/invalid", Error, "A value violates another rule of the schema, such as a pattern.", "Change the value as the message says.")
	ruleDuplicateItem = define("schema/duplicate-item", Error, "A list of unique items has an item twice.", "Remove one of the two.")
	ruleMetadata      = define("schema/metadata", Error, "The metadata is invalid, for example a name that is not a DNS name.", "Change the metadata as the message says.")
	ruleVersion       = define("schema/unknown-version", Error, "The API server does not serve this version of the kind.", "Set apiVersion to toolhive.stacklok.dev/v1beta1.")
	ruleKind          = define("schema/unknown-kind", Warning, "ToolHive has no such kind, so the object is not validated.", "Correct the kind.")
	ruleGroup         = define("schema/unknown-group", Warning, "An object of a ToolHive kind has an apiVersion with a similar group, so it is not validated.", "Set apiVersion to toolhive.stacklok.dev/v1beta1, if you meant ToolHive's kind.")
	ruleDeprecated    = define("schema/deprecated-version", Warning, "The version is deprecated.", "Set apiVersion to toolhive.stacklok.dev/v1beta1; nothing else differs.")
	ruleNotChecked    = define("schema/not-checked", Warning, "The object violates the schema, so the API server does not evaluate its rules.", "Correct the other errors of the object first.")
	ruleNotSupported  = define("baseline/not-supported", Error, "A scope of a baseline is not one of the effective scopes of a consumer's auth server, which would refuse to start.", "Add the scope to the effective scopes, or remove it from baselineClientScopes.")
	ruleNotReferenced = define("baseline/not-referenced", Warning, "Nothing in the input runs an auth server from a config with a baseline, so its effective scopes are unknown.", "Validate the config together with its consumers, or set scopesSupported.")
	ruleNotFound      = define("reference/not-found", Warning, "The input does not contain the MCPExternalAuthConfig that a consumer references.", "Validate it together with the consumer, or correct the name.")
	ruleOIDCNotFound  = define("reference/oidc-config-not-found", Warning, "The input does not contain the MCPOIDCConfig that a consumer with an auth server references.", "Validate it together with the consumer, or correct the name.")
	ruleOIDCRequired  = define("reference/oidc-config-required", Error, "A consumer runs an auth server but references no MCPOIDCConfig.", "Reference an MCPOIDCConfig.")
	ruleWrongType     = define("reference/wrong-type", Error, "authServerRef names an MCPExternalAuthConfig whose type is not embeddedAuthServer.", "Name one of type embeddedAuthServer.")
	ruleConflict      = define("reference/conflict", Error, "authServerRef and externalAuthConfigRef both name embedded auth servers.", "Keep authServerRef, and remove the other or let it name one for outgoing calls.")
	ruleStartUp       = define("start-up/refused", Error, "A value with which an auth server refuses to start, or can't work. Standalone mode holds the rollout.", "Correct the value as the message says; docs/start-up.md has the list.")
	ruleTwice         = define("object/duplicate", Warning, "The input contains an object twice. Each is validated with what is nearest to it.", "Remove one of the two, or run lint once for each cluster.")
)

// ruleIDs maps the messages of the static rules (docs/rules.md) to their IDs.
var ruleIDs = func() map[string]string {
	ids := map[string]string{}
	for id, message := range staticRules {
		ids[message] = define("rule/"+id, Error, strings.ToUpper(message[:1])+message[1:]+".", "Correct the object as the message says; docs/rules.md#"+id+" has examples.").ID
	}
	return ids
}()

// Rules returns all rules, sorted by ID.
func Rules() []Rule {
	var rules []Rule
	for _, id := range slices.Sorted(maps.Keys(rulesByID)) {
		rules = append(rules, *rulesByID[id])
	}
	return rules
}
