// Package condition puts the verdict into words: conditions, their reasons and
// messages. It takes the cause of what is not resolved from package resolve, and of a
// hold from package rollout. It needs no client, so the linter prints the same messages
// as the controllers.
package condition
