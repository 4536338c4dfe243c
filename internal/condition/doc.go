// Package condition puts the verdict into words: conditions, their reasons and
// messages. It needs no client, so the linter prints the same messages as the
// controllers.
package condition
