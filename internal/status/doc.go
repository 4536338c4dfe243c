// Package status holds the conditions of scopegate's objects and the one way in
// which they are written. Package message turns verdicts into conditions.
package status
