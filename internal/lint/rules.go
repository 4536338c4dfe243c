package lint

import (
	"maps"
	"slices"
	"strings"
)

// Rule is a kind of finding. Its id is API: it stays what it is.
type Rule struct {
	ID       string
	Severity Severity
	// About says when the rule finds something.
	About string
	// Fix is the advice where a finding has none of its own.
	Fix string
}

// rulesByID are all rules.
var rulesByID = map[string]*Rule{}

func define(id string, severity Severity, about, fix string) *Rule {
	rulesByID[id] = &Rule{id, severity, about, fix}
	return rulesByID[id]
}

// The rules beside the static ones.
var (
	ruleSyntax        = define("parse/syntax", Error, "The text is not YAML or JSON.", "Correct the syntax. A template must be rendered first.")
	ruleLimit         = define("parse/limit", Error, "The text is larger, deeper or has more aliases than is read.", "Split the text, or write out its aliases.")
	ruleUnknownField  = define("schema/unknown-field", Error, "The schema has no such field; strict field validation refuses it, and otherwise it is dropped without a word.", "Correct the name of the field, or remove it.")
	ruleDuplicateKey  = define("schema/duplicate-field", Error, "A field is set twice; strict field validation refuses it, and otherwise the last one counts.", "Remove one of the two.")
	ruleRequired      = define("schema/required", Error, "A required field is missing.", "Set the field.")
	ruleType          = define("schema/type", Error, "A value has the wrong type.", "Write a value of the type that the message names; quote what is to be a string.")
	ruleEnum          = define("schema/enum", Error, "A value is none of those that the field may have.", "Use one of the values that the message lists.")
	ruleBounds        = define("schema/bounds", Error, "A value or a list is too long.", "Shorten it to the bound that the message names.")
	ruleInvalid       = define("schema/invalid", Error, "A value breaks another bound of the schema, such as a pattern.", "Change the value to what the message asks for.")
	ruleDuplicateItem = define("schema/duplicate-item", Error, "A list that is a set has an item twice.", "Remove one of the two.")
	ruleMetadata      = define("schema/metadata", Error, "The metadata is refused, such as a name that is no DNS name.", "Change the metadata to what the message asks for.")
	ruleVersion       = define("schema/unknown-version", Error, "The API server does not serve this version of the kind.", "Set apiVersion to toolhive.stacklok.dev/v1beta1.")
	ruleKind          = define("schema/unknown-kind", Warning, "The group has no such kind that is validated, but one of a similar name.", "Correct the kind, if that is what was meant.")
	ruleGroup         = define("schema/unknown-group", Warning, "An object has a kind of ToolHive's, but no apiVersion or one of a similar group, and is not validated.", "Set apiVersion to toolhive.stacklok.dev/v1beta1, if that is what was meant.")
	ruleDeprecated    = define("schema/deprecated-version", Warning, "The version is deprecated.", "Set apiVersion to toolhive.stacklok.dev/v1beta1; nothing else differs.")
	ruleNotChecked    = define("schema/not-checked", Warning, "The API server does not evaluate its rules on an object whose schema is violated.", "Correct the other errors of the object first.")
	ruleNotSupported  = define("baseline/not-supported", Error, "A scope of a baseline is not among the effective scopes of the auth server of a consumer, which would refuse to start.", "Add the scope to the effective scopes, or remove it from baselineClientScopes.")
	ruleNotReferenced = define("baseline/not-referenced", Warning, "Nothing in the input runs an auth server from a config with a baseline, so that its effective scopes are not known.", "Validate the config together with its consumers, or set scopesSupported.")
	ruleNotFound      = define("reference/not-found", Warning, "The input does not hold the MCPExternalAuthConfig that a consumer references.", "Validate it together with the consumer, or correct the name.")
	ruleOIDCNotFound  = define("reference/oidc-config-not-found", Warning, "The input does not hold the MCPOIDCConfig that a consumer with an auth server references.", "Validate it together with the consumer, or correct the name.")
	ruleOIDCRequired  = define("reference/oidc-config-required", Error, "A consumer runs an auth server but references no MCPOIDCConfig.", "Reference an MCPOIDCConfig.")
	ruleWrongType     = define("reference/wrong-type", Error, "authServerRef names an MCPExternalAuthConfig of another type than embeddedAuthServer.", "Name one of type embeddedAuthServer.")
	ruleConflict      = define("reference/conflict", Error, "authServerRef and externalAuthConfigRef both name embedded auth servers.", "Keep authServerRef, and remove the other or let it name one for outgoing calls.")
	ruleTwice         = define("object/duplicate", Warning, "The input holds an object twice; the last one counts.", "Remove one of the two, or validate them in separate runs.")
)

// ruleIDs are the ids of the static rules (docs/rules.md) by their messages.
var ruleIDs = func() map[string]string {
	ids := map[string]string{}
	for id, message := range staticRules {
		ids[message] = define("rule/"+id, Error, strings.ToUpper(message[:1])+message[1:]+".", "Correct the object as the message says; docs/rules.md#"+id+" has examples.").ID
	}
	return ids
}()

// Rules returns every rule, in the order of the ids.
func Rules() []Rule {
	var rules []Rule
	for _, id := range slices.Sorted(maps.Keys(rulesByID)) {
		rules = append(rules, *rulesByID[id])
	}
	return rules
}
