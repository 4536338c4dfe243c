package condition

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/scopes"
)

// Limits of a message. The limits on lists within an entry ensure that every
// entry fits into a message.
const (
	maxMessageBytes = 2048
	maxConsumers    = 10
	maxListBytes    = 300
	maxScopeBytes   = 256
	// maxProviderBytes is the limit of ToolHive's CRDs too.
	maxProviderBytes = 63
)

const (
	baselineEmpty        = "baselineClientScopes is empty: every auth server supports it"
	allInScopesSupported = "every scope of baselineClientScopes is in scopesSupported"
	supportedByAll       = "every scope of baselineClientScopes is supported by the auth server of every consumer"
	notReferenced        = "no MCPServer or MCPRemoteProxy of this namespace runs an auth server from this config, " +
		"so its effective scopes are not known: reference it from one, or set scopesSupported"
)

func supported(pair resolve.Pair) string {
	return fmt.Sprintf("every scope of %s is among the effective scopes (%s)", baselineOf(pair, true), sourceOf(pair))
}

// notInScopesSupported returns the message of a config that contradicts itself.
// The API server rejects such a config, unless it was stored before the rules
// existed.
func notInScopesSupported(server *v1alpha1.EmbeddedAuthServerConfig, missing []string) string {
	return fmt.Sprintf("%s %s not in scopesSupported (%s): add %s there, or remove %s from baselineClientScopes%s%s",
		scopeList(missing), areOrIs(missing), quoted(server.ScopesSupported), itOrThem(missing), itOrThem(missing),
		didYouMean(missing, server.ScopesSupported), upstreamSuffix(resolve.RequestedUpstream(server, missing)))
}

// NotSupported returns the message of a consumer whose auth server does not
// support the baseline.
func NotSupported(pair resolve.Pair) string { return refusal(pair, true) }

// notSupportedByConsumer returns the same for the condition of the config, which
// the message does not name.
func notSupportedByConsumer(pair resolve.Pair) string { return refusal(pair, false) }

func refusal(pair resolve.Pair, nameConfig bool) string {
	verdict := pair.Verdict
	fix := "add " + itOrThem(verdict.Missing) + " there"
	if verdict.Source == scopes.FromDefaults {
		fix = fmt.Sprintf("list every scope that it needs in %s.scopes", pair.Consumer.OIDCField())
	}
	return fmt.Sprintf("%s %s not supported by the auth server of %s, whose effective scopes are %s (%s): %s, or remove %s from %s%s%s",
		scopeList(verdict.Missing), areOrIs(verdict.Missing), pair.Consumer, quoted(verdict.Effective), sourceOf(pair), fix,
		itOrThem(verdict.Missing), baselineOf(pair, nameConfig), didYouMean(verdict.Missing, verdict.Effective),
		upstreamSuffix(verdict.Upstream, verdict.Requested))
}

// UpstreamNote says that scopes of an upstream provider do not count, with
// the list that does. It returns "" if no provider has a missing scope.
func UpstreamNote(pair resolve.Pair) string {
	verdict := pair.Verdict
	if verdict.Requested == nil {
		return ""
	}
	list := pair.Consumer.OIDCField() + ".scopes"
	if verdict.Source == scopes.FromScopesSupported {
		list = "scopesSupported"
	}
	return fmt.Sprintf("%s: add %s to %s", upstreamText(verdict.Upstream, verdict.Requested), itOrThem(verdict.Requested), list)
}

// upstreamSuffix is UpstreamNote at the end of a message that names the list.
func upstreamSuffix(provider string, requested []string) string {
	if requested == nil {
		return ""
	}
	return "; " + upstreamText(provider, requested)
}

func upstreamText(provider string, requested []string) string {
	return fmt.Sprintf("%s %s requested from upstream provider %q, which does not count",
		quoted(requested), areOrIs(requested), ClipTo(provider, maxProviderBytes))
}

func unresolved(pair resolve.Pair) string { return pair.Verdict.Why }

// baselineOf returns the path of the baseline. If nameConfig is true and the
// baseline is in another object than the consumer, it adds that object.
func baselineOf(pair resolve.Pair, nameConfig bool) string {
	switch {
	case pair.ConfigName == "":
		return "spec.authServerConfig.baselineClientScopes"
	case nameConfig:
		return fmt.Sprintf("spec.embeddedAuthServer.baselineClientScopes of MCPExternalAuthConfig %q", pair.ConfigName)
	default:
		return "baselineClientScopes"
	}
}

// sourceOf describes where the effective scopes of a pair come from.
func sourceOf(pair resolve.Pair) string {
	switch pair.Verdict.Source {
	case scopes.FromScopesSupported:
		if pair.ConfigName == "" {
			return "from spec.authServerConfig.scopesSupported"
		}
		return fmt.Sprintf("from spec.embeddedAuthServer.scopesSupported of MCPExternalAuthConfig %q", pair.ConfigName)
	case scopes.FromOIDCConfigRef:
		return fmt.Sprintf("from its %s.scopes", pair.Consumer.OIDCField())
	default:
		return fmt.Sprintf("the auth server's defaults, as its %s.scopes is empty", pair.Consumer.OIDCField())
	}
}

// list joins the entries of the pairs in the given state, sorted by kind and
// name, and cuts them off at the limits. It returns "" if there are none. entryOf
// returns the entry of a pair.
func list(pairs []resolve.Pair, state resolve.State, entryOf func(resolve.Pair) string) string {
	var chosen []resolve.Pair
	for _, pair := range pairs {
		if pair.Verdict.State == state {
			chosen = append(chosen, pair)
		}
	}
	slices.SortFunc(chosen, func(a, b resolve.Pair) int {
		return cmp.Or(cmp.Compare(a.Consumer.Kind, b.Consumer.Kind), cmp.Compare(a.Consumer.Name, b.Consumer.Name))
	})
	var message strings.Builder
	for i, pair := range chosen {
		entry := entryOf(pair)
		rest := fmt.Sprintf("; and %d more", len(chosen)-i)
		if i > 0 {
			if i == maxConsumers || message.Len()+len("; ")+len(entry)+len(rest) > maxMessageBytes {
				message.WriteString(rest)
				break
			}
			message.WriteString("; ")
		}
		message.WriteString(entry)
	}
	return message.String()
}

func scopeList(list []string) string {
	if len(list) == 1 {
		return "scope " + quoted(list)
	}
	return "scopes " + quoted(list)
}

func areOrIs(list []string) string {
	if len(list) == 1 {
		return "is"
	}
	return "are"
}

func itOrThem(list []string) string {
	if len(list) == 1 {
		return "it"
	}
	return "them"
}

// quoted joins quoted scopes and cuts the list off at maxListBytes.
func quoted(list []string) string {
	var text strings.Builder
	for i, scope := range list {
		quote := strconv.Quote(ClipTo(scope, maxScopeBytes))
		if i > 0 {
			if text.Len()+len(quote) > maxListBytes {
				fmt.Fprintf(&text, " and %d more", len(list)-i)
				break
			}
			text.WriteString(", ")
		}
		text.WriteString(quote)
	}
	return text.String()
}

// didYouMean suggests a scope for the first of the missing scopes that is a near
// miss.
func didYouMean(missing, effective []string) string {
	for _, scope := range missing {
		if meant, ok := scopes.Suggest(scope, effective); ok {
			if len(missing) == 1 {
				return fmt.Sprintf("; did you mean %q?", meant)
			}
			return fmt.Sprintf("; did you mean %q instead of %q?", meant, scope)
		}
	}
	return ""
}

// Clip cuts a message off at 2 KiB.
func Clip(message string) string { return ClipTo(message, maxMessageBytes) }

// ClipTo cuts text off at the given number of bytes, between characters.
func ClipTo(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	bytes -= len("…")
	for bytes > 0 && !utf8.RuneStart(text[bytes]) {
		bytes--
	}
	return text[:bytes] + "…"
}
