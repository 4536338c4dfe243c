// Package source compares what scopegate knows of ToolHive with the Go files of
// ToolHive's releases: the names and the layout of run configs, how they are
// stored and labelled, and how an auth server validates its baseline. The
// releases do not have to compile.
//
// If a fact no longer holds, the test reports its file, its line and the
// change.
package source
