// Package message turns verdicts into the condition BaselineScopesValid and its
// messages. It needs no client, so the linter prints the same messages as the
// controllers.
package condition
