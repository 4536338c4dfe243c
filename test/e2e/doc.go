// Package e2e runs scopegate as its users do, on a real cluster: its images, its
// manifests, real pods, kubectl, and ToolHive's own operator. Its tests have the
// build tag e2e; `make e2e` runs them.
package e2e
