// Package crds compares scopegate's CRDs and the guard's policies with the CRDs
// and examples of each ToolHive release. The releases do not have to compile.
package crds
