// Package message turns verdicts into messages: the condition BaselineScopesValid and
// its messages. It needs no client of a cluster, so that the linter says what the
// controllers would.
package message
