// Package live reads of a cluster what its pairs of configs and consumers are
// judged by, in whole mode and on ToolHive's CRDs: once, or again whenever
// something changes. It needs no more than the right to list the objects; what a
// user may not read is noted rather than refused.
package live
