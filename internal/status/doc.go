// Package status creates the conditions of scopegate's objects and writes them.
// Package message turns verdicts into conditions.
package status
