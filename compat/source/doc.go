// Package source holds tests that compare what scopegate knows of ToolHive with
// the Go files of ToolHive's releases, which need not compile for that: the names
// and the layout of run configs, what stores and labels them, and how an auth
// server validates its baseline.
//
// A fact that no longer holds is reported with its file and line and what changed.
package source
