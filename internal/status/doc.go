// Package status writes the whole status of an object, in standalone mode.
package status
