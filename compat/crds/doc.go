// Package crds holds tests that compare the CRDs of ToolHive's releases with what
// scopegate makes of them: its own CRDs have their fields and take their examples.
// They need no ToolHive that compiles.
package crds
