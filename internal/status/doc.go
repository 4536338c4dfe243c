// Package status writes the status of an object.
package status
