// Package status says what a verdict means: the conditions, their reasons and
// messages, and the one way in which they are written.
package status
