// Package scopes decides whether a baseline of OAuth scopes is a subset of the
// effective scopes of an auth server. It knows strings and nothing of
// Kubernetes, and it is the one place where that question is answered.
//
// Scopes match to the letter, upper and lower case apart (RFC 6749 section
// 3.3). An empty list is the same as an absent one.
package scopes

import "slices"

// Source tells which list the effective scopes of an auth server are.
type Source int

const (
	// FromScopesSupported is the config's own scopesSupported.
	FromScopesSupported Source = iota
	// FromOIDCConfigRef is the scopes of the consumer's oidcConfigRef.
	FromOIDCConfigRef
	// FromDefaults is the defaults of the auth server.
	FromDefaults
)

// Effective returns the scopes that an auth server advertises and which list
// they are: the first of scopesSupported, oidcScopes and defaults that is not
// empty. The caller must not change them.
func Effective(scopesSupported, oidcScopes, defaults []string) ([]string, Source) {
	switch {
	case len(scopesSupported) > 0:
		return scopesSupported, FromScopesSupported
	case len(oidcScopes) > 0:
		return oidcScopes, FromOIDCConfigRef
	default:
		return defaults, FromDefaults
	}
}

// Missing returns the scopes of baseline that are not in effective, each once
// and in the order of baseline. It returns nil, and allocates nothing, when
// baseline is a subset.
func Missing(baseline, effective []string) []string {
	var missing []string
	for _, scope := range baseline {
		if !slices.Contains(effective, scope) && !slices.Contains(missing, scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}
