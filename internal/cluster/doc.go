// Package cluster reads of a cluster what its pairs of configs and consumers are
// validated by, in standalone mode and on ToolHive's CRDs: once, or again whenever
// something changes. It needs no more than the right to list the objects. What a user
// may not read is noted rather than refused. The packages tree and check are views of
// what it reads.
package cluster
