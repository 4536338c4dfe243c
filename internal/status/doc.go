// Package status holds the conditions of scopegate's objects and the one way in
// which they are written. What a verdict is called in them is in its package
// words.
package status
