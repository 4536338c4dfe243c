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

// The ids of what the API server's rules do not cover.
const (
	ruleSyntax        = "parse/syntax"
	ruleLimit         = "parse/limit"
	ruleUnknownField  = "schema/unknown-field"
	ruleDuplicateKey  = "schema/duplicate-field"
	ruleRequired      = "schema/required"
	ruleType          = "schema/type"
	ruleEnum          = "schema/enum"
	ruleBounds        = "schema/bounds"
	ruleInvalid       = "schema/invalid"
	ruleDuplicateItem = "schema/duplicate-item"
	ruleMetadata      = "schema/metadata"
	ruleVersion       = "schema/unknown-version"
	ruleKind          = "schema/unknown-kind"
	ruleGroup         = "schema/unknown-group"
	ruleDeprecated    = "schema/deprecated-version"
	ruleNotChecked    = "schema/not-checked"
	ruleNotSupported  = "baseline/not-supported"
	ruleNotReferenced = "baseline/not-referenced"
	ruleNotFound      = "reference/not-found"
	ruleOIDCNotFound  = "reference/oidc-config-not-found"
	ruleOIDCRequired  = "reference/oidc-config-required"
	ruleWrongType     = "reference/wrong-type"
	ruleConflict      = "reference/conflict"
	ruleTwice         = "object/duplicate"

	// rulePrefix comes before the id of a static rule (docs/rules.md).
	rulePrefix = "rule/"
)

var ownRules = []Rule{
	{ruleSyntax, Error, "The text is not YAML or JSON.", "Correct the syntax. A template must be rendered first."},
	{ruleLimit, Error, "The text is larger, deeper or has more aliases than is read.", "Split the text, or write out its aliases."},
	{ruleUnknownField, Error, "The schema has no such field; strict field validation refuses it, and otherwise it is dropped without a word.", "Correct the name of the field, or remove it."},
	{ruleDuplicateKey, Error, "A field is set twice; strict field validation refuses it, and otherwise the last one counts.", "Remove one of the two."},
	{ruleRequired, Error, "A required field is missing.", "Set the field."},
	{ruleType, Error, "A value has the wrong type.", "Write a value of the type that the message names; quote what is to be a string."},
	{ruleEnum, Error, "A value is none of those that the field may have.", "Use one of the values that the message lists."},
	{ruleBounds, Error, "A value or a list is too long.", "Shorten it to the bound that the message names."},
	{ruleInvalid, Error, "A value breaks another bound of the schema, such as a pattern.", "Change the value to what the message asks for."},
	{ruleDuplicateItem, Error, "A list that is a set has an item twice.", "Remove one of the two."},
	{ruleMetadata, Error, "The metadata is refused, such as a name that is no DNS name.", "Change the metadata to what the message asks for."},
	{ruleVersion, Error, "The API server does not serve this version of the kind.", "Set apiVersion to toolhive.stacklok.dev/v1beta1."},
	{ruleKind, Warning, "The group has no such kind that is judged, but one of a similar name.", "Correct the kind, if that is what was meant."},
	{ruleGroup, Warning, "An object has a kind of ToolHive's, but no apiVersion or one of a similar group, and is not judged.", "Set apiVersion to toolhive.stacklok.dev/v1beta1, if that is what was meant."},
	{ruleDeprecated, Warning, "The version is deprecated.", "Set apiVersion to toolhive.stacklok.dev/v1beta1; nothing else differs."},
	{ruleNotChecked, Warning, "The API server does not evaluate its rules on an object whose schema is violated.", "Correct the other errors of the object first."},
	{ruleNotSupported, Error, "A scope of a baseline is not among the effective scopes of the auth server of a consumer, which would refuse to start.", "Add the scope to the effective scopes, or remove it from baselineClientScopes."},
	{ruleNotReferenced, Warning, "Nothing in the input runs an auth server from a config with a baseline, so that its effective scopes are not known.", "Judge the config together with its consumers, or set scopesSupported."},
	{ruleNotFound, Warning, "The input does not hold the MCPExternalAuthConfig that a consumer references.", "Judge it together with the consumer, or correct the name."},
	{ruleOIDCNotFound, Warning, "The input does not hold the MCPOIDCConfig that a consumer with an auth server references.", "Judge it together with the consumer, or correct the name."},
	{ruleOIDCRequired, Error, "A consumer runs an auth server but references no MCPOIDCConfig.", "Reference an MCPOIDCConfig."},
	{ruleWrongType, Error, "authServerRef names an MCPExternalAuthConfig of another type than embeddedAuthServer.", "Name one of type embeddedAuthServer."},
	{ruleConflict, Error, "authServerRef and externalAuthConfigRef both name embedded auth servers.", "Keep authServerRef, and remove the other or let it name one for outgoing calls."},
	{ruleTwice, Warning, "The input holds an object twice; the last one counts.", "Remove one of the two, or judge them in separate runs."},
}

// staticRules are the messages of the CEL rules by their ids.
var staticRules = map[string]string{
	"baseline-in-advertised-scopes":           "every scope of authServerConfig.baselineClientScopes must be in incomingAuth.oidcConfigRef.scopes: add it there, or remove it from the baseline",
	"baseline-in-scopes-supported":            "every scope of baselineClientScopes must be in scopesSupported: add it there, or remove it from baselineClientScopes",
	"ca-bundle-config-map":                    "caBundleRef.configMapRef.name must be set: it names the ConfigMap that holds the CA bundle",
	"https-issuer-with-secrets":               "issuer must be an https URL where allowConfidentialClientRegistration or delegateClients are used; for a loopback issuer, insecureAllowConfidentialOverLoopbackHTTP allows http",
	"no-insecure-http-with-secrets":           "insecureAllowHTTP must not be true together with allowConfidentialClientRegistration or delegateClients, whose secrets would cross the network in the clear: set it to false",
	"oauth2-client-id-or-dcr":                 "exactly one of clientId and dcrConfig must be set",
	"oauth2-no-secret-with-dcr":               "clientSecretRef must not be set together with dcrConfig, which gets the secret by registration",
	"oidc-needs-config-ref":                   "oidcConfigRef must be set where type is oidc: name an MCPOIDCConfig, or set type to anonymous",
	"one-authz-config":                        "authzConfig must not be set together with authzConfigRef: keep one",
	"redirect-uris-need-confidential-clients": "forceConfidentialRedirectUris needs allowConfidentialClientRegistration: set that to true, or remove the URIs",
	"redis-addr-or-sentinel":                  "exactly one of addr and sentinelConfig must be set",
	"redis-cluster-needs-addr":                "clusterMode needs addr: set addr to the cluster's address, or remove clusterMode",
	"token-source-required":                   "upstreamProviders must name a provider, unless delegateClients, trustedIssuers or inboundGrants configure another way to get tokens",
	"type-aws-sts":                            "awsSts must be set if and only if type is awsSts",
	"type-bearer-token":                       "bearerToken must be set if and only if type is bearerToken",
	"type-embedded-auth-server":               "embeddedAuthServer must be set if and only if type is embeddedAuthServer",
	"type-header-injection":                   "headerInjection must be set if and only if type is headerInjection",
	"type-inline":                             "inline must be set if and only if type is inline",
	"type-kubernetes-service-account":         "kubernetesServiceAccount must be set if and only if type is kubernetesServiceAccount",
	"type-obo":                                "obo must be set if and only if type is obo",
	"type-token-exchange":                     "tokenExchange must be set if and only if type is tokenExchange",
	"type-upstream-inject":                    "upstreamInject must be set if and only if type is upstreamInject",
	"type-xaa":                                "xaa must be set if and only if type is xaa",
	"upstream-oauth2-config":                  "oauth2Config must be set if and only if type is oauth2",
	"upstream-oidc-config":                    "oidcConfig must be set if and only if type is oidc",
}

var (
	ruleIDs = func() map[string]string {
		ids := map[string]string{}
		for id, message := range staticRules {
			ids[message] = rulePrefix + id
		}
		return ids
	}()
	rulesByID = func() map[string]Rule {
		rules := map[string]Rule{}
		for _, rule := range ownRules {
			rules[rule.ID] = rule
		}
		for id, message := range staticRules {
			rules[rulePrefix+id] = Rule{rulePrefix + id, Error, strings.ToUpper(message[:1]) + message[1:] + ".", "Correct the object as the message says; docs/rules.md#" + id + " has examples."}
		}
		return rules
	}()
)

// Rules returns every rule, in the order of the ids.
func Rules() []Rule {
	return slices.SortedFunc(maps.Values(rulesByID), func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
}
