// Package source compares what scopegate knows of ToolHive with the Go files of
// ToolHive's releases: the labels of pods, which config of a consumer counts, where
// the effective scopes come from, and how an auth server validates its baseline. The
// releases do not have to compile.
//
// If a fact no longer holds, the test reports its file, its line and the
// change.
package source
