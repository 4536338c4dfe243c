// Package scopes decides whether a baseline of OAuth scopes is a subset of the
// effective scopes of an auth server. It works on strings and does not depend on
// Kubernetes. No other package decides this.
//
// Scopes match exactly and case-sensitively (RFC 6749 section 3.3). An empty list
// is the same as an absent one.
package scopes

import "slices"

// Source is the list that the effective scopes of an auth server come from.
type Source int

const (
	// FromScopesSupported is the config's own scopesSupported.
	FromScopesSupported Source = iota
	// FromOIDCConfigRef are the scopes of the consumer's oidcConfigRef.
	FromOIDCConfigRef
	// FromDefaults are the defaults of the auth server.
	FromDefaults
)

// Effective returns the scopes that an auth server advertises, and their source:
// the first of scopesSupported, oidcScopes and defaults that is not empty. The
// caller must not modify the returned slice.
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

// Missing returns the scopes of baseline that are not in effective, without
// duplicates and in the order of baseline. If baseline is a subset, it returns
// nil and allocates nothing.
func Missing(baseline, effective []string) []string {
	var missing []string
	for _, scope := range baseline {
		if !slices.Contains(effective, scope) && !slices.Contains(missing, scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// Intersect returns the scopes of missing that are in requested, in the order of
// missing. If none is, it returns nil.
func Intersect(missing, requested []string) []string {
	var among []string
	for _, scope := range missing {
		if slices.Contains(requested, scope) {
			among = append(among, scope)
		}
	}
	return among
}
